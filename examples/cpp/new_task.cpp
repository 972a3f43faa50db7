// examples/cpp/new_task.cpp: work queues: a task, as words with a dot for each second of work.
#include "tutorial.hpp"

static void new_task(int argc, char** argv) {
    const std::string_view task = argc > 1 ? argv[1] : "Hello...";
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel({.confirm = true}).wait().value();

    // It outlives the broker, and so does the message.
    channel.declare_queue({.queue = "task_queue", .durable = true}).wait().value();
    // Waits for the broker's confirm: now the task is its.
    const haigha::PublishResult published =
        channel
            .publish_confirmed({.routing_key = "task_queue"}, task,
                               {.delivery_mode = haigha::persistent})
            .wait()
            .value();
    if (!published.confirmed()) throw haigha::Exception(published.reason);
    std::cout << " [x] Sent '" << task << "'\n";

    connection.close().wait().value();
}

int main(int argc, char** argv) {
    return run(new_task, argc, argv);
}

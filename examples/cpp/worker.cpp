// examples/cpp/worker.cpp: work queues: several of these share the tasks.
#include <algorithm>
#include <chrono>
#include <thread>

#include "tutorial.hpp"

static void worker(int, char**) {
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel().wait().value();
    haigha::Inbox inbox = haigha::Inbox::create().value();

    channel.declare_queue({.queue = "task_queue", .durable = true}).wait().value();
    // The next task only when this one is done.
    channel.qos({.prefetch_count = 1}).wait().value();
    channel.consume({.queue = "task_queue"}, haigha::Into{inbox}).wait().value();

    std::cout << " [*] Waiting for messages. To exit press CTRL+C" << std::endl;
    while (true) {
        const haigha::Message task = inbox.next_message(haigha::default_timeout).value();
        const std::string_view text = task.text();
        std::cout << " [x] Received '" << text << "'" << std::endl;
        // However long that takes: the library's thread sends heartbeats meanwhile.
        std::this_thread::sleep_for(
            std::chrono::seconds(std::count(text.begin(), text.end(), '.')));
        std::cout << " [x] Done" << std::endl;
        // A task whose worker has died before this goes to another one.
        channel.ack(task).value();
    }
}

int main(int argc, char** argv) {
    return run(worker, argc, argv);
}

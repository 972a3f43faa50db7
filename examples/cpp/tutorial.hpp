// examples/cpp/tutorial.hpp: what every one of these programs begins with.
#include <cstdlib>
#include <haigha/haigha.hpp>
#include <iostream>
#include <string_view>

// What goes wrong is thrown, and said in main().
inline haigha::Connection connected() {
    const char* const uri = std::getenv("HAIGHA_URI");
    return haigha::Connection::connect(uri != nullptr ? uri : "amqp://guest:guest@localhost")
        .value();
}

inline int run(void (*program)(int argc, char** argv), int argc, char** argv) {
    try {
        program(argc, argv);
        return 0;
    } catch (const haigha::Exception& exception) {
        std::cerr << haigha::name(exception.error().status()) << ": " << exception.what() << '\n';
        return 1;
    }
}

// Runs a fuzz target on files, in place of libFuzzer: what the corpus has found once stays found,
// with every compiler and in every configuration.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz_target.h"

namespace {

void run(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> read{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw std::filesystem::filesystem_error("cannot be read", path, {});
    // Of just this size, so that the address sanitizer sees any read past it.
    const std::vector<std::uint8_t> input(read.begin(), read.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

int run_all(int count, char** paths) {
    std::vector<std::filesystem::path> files;
    for (int i = 0; i < count; ++i) {
        if (!std::filesystem::is_directory(paths[i])) {
            files.emplace_back(paths[i]);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(paths[i]))
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files) {
        // Before it runs: the last name is that of the input which stopped the program.
        std::printf("%s\n", file.c_str());
        std::fflush(stdout);
        run(file);
    }
    std::printf("%zu inputs\n", files.size());
    // A corpus that is gone would pass by doing nothing.
    return files.empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s FILE_OR_FOLDER...\n", argv[0]);
        return 2;
    }
    try {
        return run_all(argc - 1, argv + 1);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 2;
    }
}

#include "support/failing_allocator.h"

#include <execinfo.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <new>

namespace haigha::test {

namespace {

struct Fault {
    std::uint64_t left = 0;  // until the one that fails, that included; 0: none
    bool struck = false;
    int spared = 0;
    void* calls[24] = {};
    int depth = 0;
};
thread_local Fault fault;

bool fails() {
    if (fault.left == 0 || fault.spared != 0) return false;
    if (--fault.left != 0) return false;
    fault.struck = true;
    fault.depth = ::backtrace(fault.calls, static_cast<int>(std::size(fault.calls)));
    return true;
}

void* allocate(std::size_t size, std::size_t alignment) {
    if (fails()) return nullptr;
    if (size == 0) size = 1;
    if (alignment <= alignof(std::max_align_t)) return std::malloc(size);
    void* memory = nullptr;
    return ::posix_memalign(&memory, alignment, size) == 0 ? memory : nullptr;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = 1) {
    void* const memory = allocate(size, alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void AllocationFaults::arm(std::uint64_t nth) {
    fault.left = nth;
    fault.struck = false;
}

bool AllocationFaults::struck() {
    return fault.struck;
}

void AllocationFaults::disarm() {
    fault.left = 0;
}

void AllocationFaults::show_where() {
    if (fault.struck) ::backtrace_symbols_fd(fault.calls, fault.depth, STDERR_FILENO);
}

AllocationFaults::Spared::Spared() {
    ++fault.spared;
}
AllocationFaults::Spared::~Spared() {
    --fault.spared;
}

}  // namespace haigha::test

using haigha::test::allocate;
using haigha::test::allocate_or_throw;

void* operator new(std::size_t size) {
    return allocate_or_throw(size);
}
void* operator new[](std::size_t size) {
    return allocate_or_throw(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, 1);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

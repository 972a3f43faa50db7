#include "support/counting_allocator.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace haigha::test {

namespace {

std::atomic<std::size_t> held_now{0};
std::atomic<std::size_t> most{0};

void* allocate(std::size_t size, std::size_t alignment) {
    void* memory = nullptr;
    if (size == 0) size = 1;
    if (alignment <= alignof(std::max_align_t)) {
        memory = std::malloc(size);
    } else if (::posix_memalign(&memory, alignment, size) != 0) {
        memory = nullptr;
    }
    if (memory == nullptr) throw std::bad_alloc();
    const std::size_t usable = ::malloc_usable_size(memory);
    const std::size_t now = held_now.fetch_add(usable) + usable;
    std::size_t before = most.load();
    while (before < now && !most.compare_exchange_weak(before, now)) {
    }
    return memory;
}

void release(void* memory) noexcept {
    if (memory == nullptr) return;
    held_now.fetch_sub(::malloc_usable_size(memory));
    std::free(memory);
}

}  // namespace

std::size_t CountedMemory::held() {
    return held_now.load();
}
std::size_t CountedMemory::peak() {
    return most.load();
}
void CountedMemory::begin_peak() {
    most.store(held_now.load());
}

}  // namespace haigha::test

void* operator new(std::size_t size) {
    return haigha::test::allocate(size, 1);
}
void* operator new[](std::size_t size) {
    return haigha::test::allocate(size, 1);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return haigha::test::allocate(size, 1);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return haigha::test::allocate(size, 1);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return haigha::test::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return haigha::test::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
    haigha::test::release(memory);
}
void operator delete[](void* memory) noexcept {
    haigha::test::release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    haigha::test::release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    haigha::test::release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    haigha::test::release(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    haigha::test::release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    haigha::test::release(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    haigha::test::release(memory);
}

#include "protocol/content_assembler.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace haigha::protocol {

namespace {
void copy(std::byte* to, std::span<const std::byte> from) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
}
}  // namespace

void ContentAssembler::begin(std::span<const std::byte> method_payload) {
    reset();
    method_.assign(method_payload.begin(), method_payload.end());
    part_ = Part::header;
}

bool ContentAssembler::header(const wire::ContentHeader& header, SlabPool& pool) {
    const auto body = std::min<std::uint64_t>(header.body_size, first_body_capacity);
    return begin_body(header, static_cast<std::size_t>(body), pool);
}

bool ContentAssembler::pass(const wire::ContentHeader& header, SlabPool& pool) {
    const bool whole = begin_body(header, 0, pool);
    passes_ = true;
    return whole;
}

bool ContentAssembler::begin_body(const wire::ContentHeader& header, std::size_t body_capacity,
                                  SlabPool& pool) {
    method_size_ = method_.size();
    properties_size_ = header.properties.size();
    body_size_ = header.body_size;
    received_ = 0;
    reserve(body_capacity, pool);
    copy(slab_->data(), method_);
    copy(slab_->data() + method_size_, header.properties);
    method_.clear();
    part_ = Part::body;
    return body_size_ == 0;
}

void ContentAssembler::reserve(std::size_t body_capacity, SlabPool& pool) {
    const std::size_t before_body = method_size_ + properties_size_;
    if (slab_ && slab_->capacity() >= before_body + body_capacity) return;
    Ref<Slab> larger = pool.make(before_body + body_capacity);
    if (slab_) {
        const auto received = static_cast<std::size_t>(received_);  // it is all in the slab
        copy(larger->data(), {slab_->data(), before_body + received});
    }
    slab_ = std::move(larger);
}

bool ContentAssembler::body(std::span<const std::byte> bytes, SlabPool& pool) {
    const std::size_t needed = received_ + bytes.size();
    if (method_size_ + properties_size_ + needed > slab_->capacity()) {
        const bool little = needed < body_size_ / growth;
        reserve(static_cast<std::size_t>(little ? needed * growth : body_size_), pool);
    }
    copy(slab_->data() + method_size_ + properties_size_ + received_, bytes);
    received_ = needed;
    return received_ == body_size_;
}

std::span<const std::byte> ContentAssembler::method_payload() const {
    return {slab_->data(), method_size_};
}
std::span<const std::byte> ContentAssembler::properties() const {
    return {slab_->data() + method_size_, properties_size_};
}
std::span<const std::byte> ContentAssembler::body() const {
    return {slab_->data() + method_size_ + properties_size_, static_cast<std::size_t>(received_)};
}

Ref<Slab> ContentAssembler::finish() {
    part_ = Part::none;
    return std::move(slab_);
}

void ContentAssembler::reset() {
    part_ = Part::none;
    passes_ = false;
    slab_ = nullptr;
    method_.clear();
}

}  // namespace haigha::protocol

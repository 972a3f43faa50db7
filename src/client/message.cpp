#include "client/message.h"

namespace haigha::client {

void Message::recycle() const {
    if (slab_ != nullptr) {
        slab_->release();
        slab_ = nullptr;
    }
    MessagePool* pool = pool_;
    pool->give_back(this);
    pool->release();
}

MessagePool::~MessagePool() {
    const auto free_all = [](const Message* list) {
        while (list != nullptr) {
            const Message* next = list->next_;
            delete list;
            list = next;
        }
    };
    free_all(free_);
    free_all(returned_.load(std::memory_order_acquire));
}

Message* MessagePool::take() {
    if (free_ == nullptr) {
        free_ = const_cast<Message*>(returned_.exchange(nullptr, std::memory_order_acquire));
    }
    if (free_ == nullptr) return new Message;
    Message* message = free_;
    free_ = message->next_;
    return message;
}

void MessagePool::settle(Message* message, Slab* slab) {
    if (message->refs_.load(std::memory_order_acquire) == 1) [[likely]] {
        message->next_ = free_;
        free_ = message;
        return;
    }
    keep(message, slab);
    message->release();
}

void MessagePool::keep(Message* message, Slab* slab) {
    slab->add_ref();
    message->slab_ = slab;
    message->pool_ = this;
    add_ref();
}

// Many may give back at once; one takes all of it: no ABA.
void MessagePool::give_back(const Message* message) {
    message->refs_.store(1, std::memory_order_relaxed);
    const Message* head = returned_.load(std::memory_order_relaxed);
    do {
        message->next_ = const_cast<Message*>(head);
    } while (!returned_.compare_exchange_weak(head, message, std::memory_order_release,
                                              std::memory_order_relaxed));
}

}  // namespace haigha::client

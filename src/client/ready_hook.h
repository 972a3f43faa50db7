// The user's function that is called when an inbox has something, in place of its descriptor.
#pragma once

namespace haigha::client {

// Shared by who calls it and who replaces it: the last of them releases it.
class ReadyHook {
  public:
    using Function = void (*)(void* user_data);

    ReadyHook(Function ready, void* user_data, Function release)
        : ready_(ready), user_data_(user_data), release_(release) {}
    ~ReadyHook() {
        if (release_ != nullptr) release_(user_data_);
    }
    ReadyHook(const ReadyHook&) = delete;
    ReadyHook& operator=(const ReadyHook&) = delete;

    void call() const { ready_(user_data_); }

  private:
    const Function ready_;
    void* const user_data_;
    const Function release_;
};

}  // namespace haigha::client

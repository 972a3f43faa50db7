// A network of this process's own, with one cable to this machine that can be cut: what is started
// in it reaches nothing else. It needs the rights of an administrator.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace haigha::test {

class NetworkNamespace {
  public:
    // why_not() tells if there is none.
    NetworkNamespace() {
        std::promise<void> made;
        thread_ = std::thread([this, &made] {
            if (::unshare(CLONE_NEWNET) != 0) {
                why_not_ = std::string("unshare(CLONE_NEWNET): ") + std::strerror(errno);
            }
            thread_id_ = ::syscall(SYS_gettid);
            made.set_value();
            serve();
        });
        made.get_future().wait();
        if (!why_not_.empty()) return;
        connect("ip link add " + cable() + " type veth peer name inside netns " +
                std::to_string(thread_id_));
        connect("ip address add " + address() + "/30 dev " + cable());
        connect("ip link set " + cable() + " up");
        run([this] {
            connect("ip address add " + network() + ".2/30 dev inside");
            connect("ip link set inside up");
        });
    }
    ~NetworkNamespace() {
        {
            const std::lock_guard lock(mutex_);
            ends_ = true;
        }
        changed_.notify_one();
        thread_.join();
        (void)std::system(("ip link delete " + cable() + " 2>/dev/null").c_str());
    }
    NetworkNamespace(const NetworkNamespace&) = delete;
    NetworkNamespace& operator=(const NetworkNamespace&) = delete;

    const std::string& why_not() const { return why_not_; }
    // Of this machine, as it is seen from inside.
    std::string address() const { return network() + ".1"; }
    // Inside: the sockets of the threads that this starts too are of that network.
    void run(std::function<void()> work) {
        std::packaged_task<void()> task(std::move(work));
        std::future<void> done = task.get_future();
        {
            const std::lock_guard lock(mutex_);
            task_ = std::move(task);
        }
        changed_.notify_one();
        done.get();
    }
    void cut() { connect("ip link set " + cable() + " down"); }
    void mend() { connect("ip link set " + cable() + " up"); }

  private:
    // One for each process, which may be one of several that test at the same time.
    static std::string cable() { return "haigha-" + std::to_string(::getpid() % 10'000'000); }
    static std::string network() { return "10.217." + std::to_string(1 + ::getpid() % 250); }
    void connect(const std::string& command) {
        if (!why_not_.empty() || std::system((command + " 2>/dev/null").c_str()) == 0) return;
        why_not_ = "\"" + command + "\" failed";
    }
    void serve() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return ends_ || task_.valid(); });
            if (ends_) return;
            std::packaged_task<void()> task = std::move(task_);
            task_ = {};
            lock.unlock();
            task();
            lock.lock();
        }
    }

    std::string why_not_;
    long thread_id_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::packaged_task<void()> task_;
    bool ends_ = false;
    std::thread thread_;
};

}  // namespace haigha::test

// The threads that a plan runs on: oneDNN's primitives and our own kernels share them.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "onednn.h"

// Runs fn(i, n) for each i below n, and waits for all. The caller works too. What a call computes must depend on i and n
// alone: which thread takes which i is left open, so that a busy core takes fewer.
class ThreadPool final : public dnnl::threadpool_interop::threadpool_iface {
public:
    explicit ThreadPool(int threads) : threads_(threads) {
        for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    }

    ~ThreadPool() override {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    int get_num_threads() const override { return threads_; }
    bool get_in_parallel() const override { return inside_; }
    uint64_t get_flags() const override { return 0; }

    void parallel_for(int n, const std::function<void(int, int)>& fn) override {
        if (n <= 1 || threads_ == 1 || inside_) {
            run_alone(n, fn);
            return;
        }
        auto job = std::make_shared<Job>(n, fn);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            job_ = job;
            generation_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        take_part(*job);
        while (job->done.load(std::memory_order_acquire) < n) relax();
    }

private:
    struct Job {
        Job(int n, const std::function<void(int, int)>& fn) : n(n), fn(fn) {}
        const int n;
        const std::function<void(int, int)>& fn;  // lives until all n are done, which the caller waits for
        std::atomic<int> next{0};
        std::atomic<int> done{0};
    };

    static constexpr int kSpins = 4000;  // some tens of microseconds: the next primitive of a plan comes sooner

    static void relax() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        std::this_thread::yield();
#endif
    }

    void run_alone(int n, const std::function<void(int, int)>& fn) {
        const bool before = inside_;
        inside_ = true;
        for (int i = 0; i < n; ++i) fn(i, n);
        inside_ = before;
    }

    static void take_part(Job& job) {
        inside_ = true;
        for (int i; (i = job.next.fetch_add(1, std::memory_order_relaxed)) < job.n;) {
            job.fn(i, job.n);
            job.done.fetch_add(1, std::memory_order_release);
        }
        inside_ = false;
    }

    void work() {
        // On a thread of its own, oneDNN would otherwise count all cores when it is asked how far to split.
        dnnl_threadpool_interop_set_max_concurrency(1);
        uint64_t seen = 0;
        while (auto job = next_job(seen)) take_part(*job);
    }

    std::shared_ptr<Job> next_job(uint64_t& seen) {
        for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin) relax();
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || generation_.load(std::memory_order_relaxed) != seen; });
        if (stopping_) return nullptr;
        seen = generation_.load(std::memory_order_relaxed);
        return job_;
    }

    static thread_local bool inside_;

    const int threads_;
    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<uint64_t> generation_{0};
    std::shared_ptr<Job> job_;
    bool stopping_ = false;
};

inline thread_local bool ThreadPool::inside_ = false;

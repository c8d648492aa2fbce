// What a plan is made of: steps that are built once for their shapes and run in order.

#pragma once

#include <algorithm>
#include <string>

#include "primitives.h"
#include "views.h"

class Step {
public:
    virtual ~Step() = default;
    virtual void run(const Bases& bases, ThreadPool& pool, dnnl_stream_t stream) = 0;
    virtual size_t scratch_bytes() const { return 0; }
    virtual std::string describe() const = 0;
};

// Splits `count` items among the threads, at least `grain` to a task: fn(begin, end). For results that do not depend on
// where the cuts are.
template <typename Fn>
void split(ThreadPool& pool, int64_t count, int64_t grain, Fn&& fn) {
    constexpr int kTasksPerThread = 4;
    const int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
    const int tasks = static_cast<int>(std::min<int64_t>(most, int64_t{kTasksPerThread} * pool.get_num_threads()));
    pool.parallel_for(tasks, [&](int i, int n) { fn(count * i / n, count * (i + 1) / n); });
}

// The executor of plans: its C interface, which native.py calls. A function that may fail returns 0, or another number
// when it did: plan_error() then says why.

#include "attention.h"
#include "dense.h"
#include "gather.h"
#include "norms.h"
#include "pointwise.h"
#include "winograd.h"

#include <chrono>

namespace {

thread_local std::string last_error;

enum Status { kDone = 0, kFailed = 1, kOutOfMemory = 2, kNeedsWeight = 3 };

template <typename Fn>
int guarded(Fn&& fn) {
    try {
        fn();
        return kDone;
    } catch (const std::bad_alloc&) {
        last_error = "out of memory";
        return kOutOfMemory;
    } catch (const NeedsWeight& error) {
        last_error = error.what();
        return kNeedsWeight;
    } catch (const std::exception& error) {
        last_error = error.what();
        return kFailed;
    }
}

// The threads and the stream of a process.
struct Device {
    explicit Device(int threads) : pool(threads), stream(make_stream(pool)) {}
    ThreadPool pool;
    Stream stream;
};

struct Plan {
    Plan(Device& device, WeightStore& weights) : device(device), weights(weights) {}
    Device& device;
    WeightStore& weights;
    std::vector<std::unique_ptr<Step>> steps;

    // As `make` gives it, planned for all threads of the device.
    template <typename Fn>
    int add(Fn&& make) {
        return guarded([&] {
            dnnl_threadpool_interop_set_max_concurrency(device.pool.get_num_threads());
            steps.push_back(make());
        });
    }
};

}  // namespace

extern "C" {

const char* plan_error() { return last_error.c_str(); }

// Of oneDNN: major * 10000 + minor * 100 + patch; 0 if it was built for other threads than a thread pool.
int plan_onednn_version() {
    const dnnl_version_t* const version = dnnl_version();
    if (version->cpu_runtime != DNNL_RUNTIME_THREADPOOL) return 0;
    return version->major * 10000 + version->minor * 100 + version->patch;
}

int device_new(int threads, Device** out) {
    return guarded([&] { *out = new Device(threads); });
}
void device_delete(Device* device) { delete device; }

int weights_new(WeightStore** out) {
    return guarded([&] { *out = new WeightStore(); });
}
void weights_delete(WeightStore* weights) { delete weights; }
int64_t weights_bytes(const WeightStore* weights) { return static_cast<int64_t>(weights->bytes()); }

int plan_new(Device* device, WeightStore* weights, Plan** out) {
    return guarded([&] { *out = new Plan(*device, *weights); });
}
void plan_delete(Plan* plan) { delete plan; }

int plan_add_convolution(Plan* plan, const DenseArgs* args) {
    return plan->add([&] { return std::make_unique<Convolution>(*args, plan->weights, plan->device.stream.get()); });
}
// As a convolution, with the weight that the planner transformed for tiles of 2 x 2 or 4 x 4 pixels.
int plan_add_winograd(Plan* plan, const DenseArgs* args, int tile) {
    return plan->add([&] {
        std::unique_ptr<Step> step;
        with_type(args->src.dtype, [&](auto* type) {
            using T = std::remove_pointer_t<decltype(type)>;
            dnnl_stream_t const stream = plan->device.stream.get();
            if (tile == 2) {
                step = std::make_unique<Winograd<2, T>>(*args, plan->weights, stream);
            } else {
                step = std::make_unique<Winograd<4, T>>(*args, plan->weights, stream);
            }
        });
        return step;
    });
}
int plan_add_linear(Plan* plan, const DenseArgs* args) {
    return plan->add([&] { return std::make_unique<Linear>(*args, plan->weights, plan->device.stream.get()); });
}
int plan_add_group_norm(Plan* plan, const GroupNormArgs* args) {
    return plan->add([&] { return std::make_unique<GroupNorm>(*args); });
}
int plan_add_layer_norm(Plan* plan, const View* src, const View* weight, const View* bias, const View* dst, float eps) {
    return plan->add([&] { return std::make_unique<LayerNorm>(*src, *weight, *bias, *dst, eps); });
}
int plan_add_attention(Plan* plan, const AttentionArgs* args) {
    return plan->add([&] { return std::make_unique<Attention>(*args, plan->device.pool); });
}
int plan_add_gather(Plan* plan, const View* table, const View* numbers, const View* dst) {
    return plan->add([&] { return std::make_unique<Gather>(*table, *numbers, *dst); });
}
int plan_add_pointwise(Plan* plan, int kind, const View* inputs, int count, const View* dst) {
    return plan->add(
        [&] { return std::make_unique<Pointwise>(static_cast<PointwiseKind>(kind), inputs, count, *dst); });
}

int64_t plan_steps(const Plan* plan) { return static_cast<int64_t>(plan->steps.size()); }

// What a step is, in words: as much as fits into `size` bytes of `text`.
void plan_describe(const Plan* plan, int64_t step, char* text, int64_t size) {
    std::snprintf(text, static_cast<size_t>(size), "%s", plan->steps.at(static_cast<size_t>(step))->describe().c_str());
}

// How much memory a run needs besides the arena; the same may serve many plans.
int64_t plan_scratch_bytes(const Plan* plan) {
    size_t most = 0;
    for (const auto& step : plan->steps) most = std::max(most, step->scratch_bytes());
    return static_cast<int64_t>(most);
}

// Runs all steps. `seconds` is null, or gets the time of each.
int plan_run(Plan* plan, void* arena, void* scratch, void** arguments, double* seconds) {
    return guarded([&] {
        const Bases bases{static_cast<char*>(arena), static_cast<char*>(scratch), arguments};
        ThreadPool& pool = plan->device.pool;
        dnnl_threadpool_interop_set_max_concurrency(pool.get_num_threads());
        for (size_t i = 0; i < plan->steps.size(); ++i) {
            const auto start = std::chrono::steady_clock::now();
            plan->steps[i]->run(bases, pool, plan->device.stream.get());
            if (seconds != nullptr) {
                seconds[i] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            }
        }
    });
}

}  // extern "C"

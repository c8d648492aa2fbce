// Elementwise steps: copies between layouts and types, sums, products, activations, and the mean of four.

#pragma once

#include "steps.h"

enum class PointwiseKind : int32_t { kCopy, kAdd, kMultiply, kSilu, kQuickGelu, kGelu, kMeanOfFour };

// dst[i] = f(inputs[i]). The views have equal dims, dst's strides falling; an input may repeat by strides of 0.
class Pointwise final : public Step {
public:
    static constexpr int kMaxInputs = 4;

    Pointwise(PointwiseKind kind, const View* inputs, int count, const View& dst) : kind_(kind), count_(count), dst_(dst) {
        if (count < 1 || count > kMaxInputs) throw std::runtime_error("a pointwise step has 1 to 4 inputs");
        std::copy(inputs, inputs + count, inputs_);
    }

    std::string describe() const override {
        static const char* const names[] = {"copy", "add", "multiply", "silu", "quick gelu", "gelu", "mean of four"};
        return std::string(names[static_cast<int>(kind_)]) + " " + std::to_string(dst_.count());
    }

    void run(const Bases& bases, ThreadPool& pool, dnnl_stream_t) override {
        with_type(dst_.dtype, [&](auto* dst_type) {
            with_type(inputs_[0].dtype, [&](auto* first_type) {
                run_typed<std::remove_pointer_t<decltype(dst_type)>, std::remove_pointer_t<decltype(first_type)>>(bases,
                                                                                                                 pool);
            });
        });
    }

private:
    static constexpr int64_t kGrain = 1 << 14;

    // All inputs have the type of the first.
    template <typename Out, typename In>
    void run_typed(const Bases& bases, ThreadPool& pool) {
        Out* const dst = reinterpret_cast<Out*>(bases.at(dst_));
        const In* inputs[kMaxInputs];
        for (int i = 0; i < count_; ++i) inputs[i] = reinterpret_cast<const In*>(bases.at(inputs_[i]));
        const int64_t inner = dst_.ndim == 0 ? 1 : dst_.dims[dst_.ndim - 1];
        const int64_t rows = dst_.count() / inner;
        split(pool, rows, kGrain / std::max<int64_t>(1, inner) + 1, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row) {
                const In* places[kMaxInputs];
                for (int i = 0; i < count_; ++i) places[i] = inputs[i] + offset_of_row(inputs_[i], row);
                run_row(dst + offset_of_row(dst_, row), places, inner);
            }
        });
    }

    int64_t offset_of_row(const View& view, int64_t row) const {
        int64_t offset = 0;
        for (int64_t axis = dst_.ndim - 2; axis >= 0; --axis) {
            offset += row % dst_.dims[axis] * view.strides[axis];
            row /= dst_.dims[axis];
        }
        return offset;
    }

    int64_t step_of(const View& view) const { return dst_.ndim == 0 ? 0 : view.strides[dst_.ndim - 1]; }

    template <typename Out, typename In>
    void run_row(Out* dst, const In* const* in, int64_t n) const {
        const int64_t s = step_of(dst_), a = step_of(inputs_[0]), b = count_ > 1 ? step_of(inputs_[1]) : 0;
        switch (kind_) {
            case PointwiseKind::kCopy:
                return one(dst, s, in[0], a, n, [](float x) { return x; });
            case PointwiseKind::kSilu:
                return one(dst, s, in[0], a, n, [](float x) { return swish(x, 1.0f); });
            case PointwiseKind::kQuickGelu:
                return one(dst, s, in[0], a, n, [](float x) { return swish(x, 1.702f); });
            case PointwiseKind::kGelu:
                return one(dst, s, in[0], a, n, [](float x) { return gelu(x); });
            case PointwiseKind::kAdd:
                return two(dst, s, in[0], a, in[1], b, n, [](float x, float y) { return x + y; });
            case PointwiseKind::kMultiply:
                return two(dst, s, in[0], a, in[1], b, n, [](float x, float y) { return x * y; });
            case PointwiseKind::kMeanOfFour:
                return mean(dst, in, n);
        }
    }

    template <typename Out, typename In, typename Fn>
    static void one(Out* dst, int64_t s, const In* x, int64_t a, int64_t n, Fn fn) {
        if (s == 1 && a == 1) {
            for (int64_t i = 0; i < n; ++i) store(dst[i], fn(load(x[i])));
        } else {
            for (int64_t i = 0; i < n; ++i) store(dst[i * s], fn(load(x[i * a])));
        }
    }

    template <typename Out, typename In, typename Fn>
    static void two(Out* dst, int64_t s, const In* x, int64_t a, const In* y, int64_t b, int64_t n, Fn fn) {
        if (s == 1 && a == 1 && b == 1) {
            for (int64_t i = 0; i < n; ++i) store(dst[i], fn(load(x[i]), load(y[i])));
        } else {
            for (int64_t i = 0; i < n; ++i) store(dst[i * s], fn(load(x[i * a]), load(y[i * b])));
        }
    }

    template <typename Out, typename In>
    void mean(Out* dst, const In* const* in, int64_t n) const {
        const int64_t s = step_of(dst_), a = step_of(inputs_[0]);
        for (int64_t i = 0; i < n; ++i) {
            const int64_t k = i * a;
            store(dst[i * s], 0.25f * ((load(in[0][k]) + load(in[1][k])) + (load(in[2][k]) + load(in[3][k]))));
        }
    }

    PointwiseKind kind_;
    int count_;
    View inputs_[kMaxInputs];
    View dst_;
};

// Group norm of channels-last maps, fused with what follows it, and layer norm.

#pragma once

#include "steps.h"

// The planner's description of a group norm (native.py has the same fields). Maps are (batch, channels, height, width),
// channels next to each other.
struct GroupNormArgs {
    View parts[2];      // the input is one map, or two one after the other in channels
    View weight, bias;  // (channels) or (batch, channels)
    View scale, shift;  // none, or maps (batch, channels, h, w) whose pixels repeat up to the input's size
    View dst;
    int64_t groups;
    float eps;
    int32_t silu;
};

// dst = f((normalised * weight + bias) * scale + shift), f being SiLU or nothing.
class GroupNorm final : public Step {
public:
    explicit GroupNorm(const GroupNormArgs& args)
        : args_(args),
          batch_(args.dst.dims[0]),
          channels_(args.dst.dims[1]),
          height_(args.dst.dims[2]),
          width_(args.dst.dims[3]),
          pixels_(height_ * width_),
          chunks_(std::max<int64_t>(1, std::min<int64_t>(kMaxChunks, pixels_ / kChunkPixels))) {}

    std::string describe() const override {
        return "group norm " + std::to_string(batch_) + "x" + std::to_string(channels_) + "x" + std::to_string(pixels_);
    }

    // Sums of each chunk, then scale and shift of each channel.
    size_t scratch_bytes() const override { return sizeof(float) * (chunks_ + 1) * batch_ * channels_ * 2; }

    void run(const Bases& bases, ThreadPool& pool, dnnl_stream_t) override {
        with_type(args_.dst.dtype, [&](auto* type) { run_typed<std::remove_pointer_t<decltype(type)>>(bases, pool); });
    }

private:
    static constexpr int64_t kMaxChunks = 64, kChunkPixels = 32;  // of the shape alone: sums must not depend on threads

    struct Part {
        const View* view;
        int64_t first, channels;  // of the whole input's
    };

    int parts(Part* out) const {
        out[0] = {&args_.parts[0], 0, args_.parts[0].dims[1]};
        if (!args_.parts[1].present()) return 1;
        out[1] = {&args_.parts[1], args_.parts[0].dims[1], args_.parts[1].dims[1]};
        return 2;
    }

    template <typename T>
    const T* pixel(const Bases& bases, const Part& part, int64_t b, int64_t p) const {
        const View& v = *part.view;
        const int64_t offset = b * v.strides[0] + p / width_ * v.strides[2] + p % width_ * v.strides[3];
        return reinterpret_cast<const T*>(bases.at(v)) + offset;
    }

    template <typename T>
    void run_typed(const Bases& bases, ThreadPool& pool) {
        float* const sums = reinterpret_cast<float*>(bases.scratch);
        float* const affine = sums + chunks_ * batch_ * channels_ * 2;
        pool.parallel_for(static_cast<int>(batch_ * chunks_),
                          [&](int task, int) { sum_chunk<T>(bases, sums, task / chunks_, task % chunks_); });
        with_type(args_.weight.dtype, [&](auto* type) {
            using W = std::remove_pointer_t<decltype(type)>;
            split(pool, batch_ * args_.groups, std::max<int64_t>(1, 4096 / (chunks_ * channels_ / args_.groups)),
                  [&](int64_t begin, int64_t end) {
                      for (int64_t i = begin; i < end; ++i)
                          make_affine<T, W>(bases, sums, affine, i / args_.groups, i % args_.groups);
                  });
        });
        split(pool, batch_ * pixels_, (1 << 14) / channels_ + 1, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) apply<T>(bases, affine, i / pixels_, i % pixels_);
        });
    }

    // The first value of each channel is taken off before squaring: a mean far from 0 would cost digits.
    template <typename T>
    void sum_chunk(const Bases& bases, float* sums, int64_t b, int64_t chunk) const {
        Part list[2];
        const int count = parts(list);
        for (int k = 0; k < count; ++k) {
            const Part& part = list[k];
            const T* const origin = pixel<T>(bases, part, b, 0);
            float* const first = sums + (b * chunks_ + chunk) * channels_ * 2 + part.first;
            float* const second = first + channels_;
            std::fill(first, first + part.channels, 0.0f);
            std::fill(second, second + part.channels, 0.0f);
            for (int64_t p = pixels_ * chunk / chunks_; p < pixels_ * (chunk + 1) / chunks_; ++p) {
                add_pixel(first, second, pixel<T>(bases, part, b, p), origin, part.channels);
            }
        }
    }

    template <typename T>
    static void add_pixel(float* __restrict first, float* __restrict second, const T* __restrict x,
                          const T* __restrict origin, int64_t channels) {
        for (int64_t c = 0; c < channels; ++c) {
            const float d = load(x[c]) - load(origin[c]);
            first[c] += d;
            second[c] += d * d;
        }
    }

    // What normalises a group's channels, with weight and bias, as a factor and a summand.
    template <typename T, typename W>
    void make_affine(const Bases& bases, const float* sums, float* affine, int64_t b, int64_t group) const {
        const int64_t width = channels_ / args_.groups, begin = group * width, end = begin + width;
        double total = 0.0;
        for (int64_t c = begin; c < end; ++c) {
            total += origin_of<T>(bases, b, c) * pixels_;
            for (int64_t k = 0; k < chunks_; ++k) total += sums[((b * chunks_ + k) * 2) * channels_ + c];
        }
        const double mean = total / static_cast<double>(width * pixels_);
        double squares = 0.0;
        for (int64_t c = begin; c < end; ++c) {
            const double away = mean - origin_of<T>(bases, b, c);
            double first = 0.0, second = 0.0;
            for (int64_t k = 0; k < chunks_; ++k) {
                first += sums[((b * chunks_ + k) * 2) * channels_ + c];
                second += sums[((b * chunks_ + k) * 2 + 1) * channels_ + c];
            }
            squares += second - 2.0 * away * first + away * away * pixels_;
        }
        const double variance = std::max(0.0, squares / static_cast<double>(width * pixels_));
        const double inverse = 1.0 / std::sqrt(variance + args_.eps);
        float* const scale = affine + b * channels_ * 2;
        for (int64_t c = begin; c < end; ++c) {
            const double weight = parameter<W>(bases, args_.weight, b, c);
            const double bias = parameter<W>(bases, args_.bias, b, c);
            scale[c] = static_cast<float>(weight * inverse);
            scale[channels_ + c] = static_cast<float>(bias - mean * weight * inverse);
        }
    }

    template <typename T>
    double origin_of(const Bases& bases, int64_t b, int64_t c) const {
        Part list[2];
        const int count = parts(list);
        const Part& part = count == 2 && c >= list[1].first ? list[1] : list[0];
        return load(pixel<T>(bases, part, b, 0)[c - part.first]);
    }

    template <typename W>
    static float parameter(const Bases& bases, const View& view, int64_t b, int64_t c) {
        const W* const values = reinterpret_cast<const W*>(bases.at(view));
        return load(view.ndim == 1 ? values[c * view.strides[0]] : values[b * view.strides[0] + c * view.strides[1]]);
    }

    // Maps have the type of the input.
    template <typename T>
    void apply(const Bases& bases, const float* affine, int64_t b, int64_t p) const {
        const View& d = args_.dst;
        T* const dst = reinterpret_cast<T*>(bases.at(d)) + b * d.strides[0] + p / width_ * d.strides[2] +
                       p % width_ * d.strides[3];
        const float* const scale = affine + b * channels_ * 2;
        Part list[2];
        const int count = parts(list);
        for (int k = 0; k < count; ++k) {
            const Part& part = list[k];
            const T* const x = pixel<T>(bases, part, b, p);
            const float* const a = scale + part.first;
            T* const y = dst + part.first;
            if (args_.scale.present()) {
                const T* const factor = map_pixel<T>(bases, args_.scale, b, p) + part.first;
                const T* const summand = map_pixel<T>(bases, args_.shift, b, p) + part.first;
                finish(y, part.channels, [&](int64_t c) {
                    return (load(x[c]) * a[c] + a[channels_ + c]) * load(factor[c]) + load(summand[c]);
                });
            } else {
                finish(y, part.channels, [&](int64_t c) { return load(x[c]) * a[c] + a[channels_ + c]; });
            }
        }
    }

    template <typename T, typename Fn>
    void finish(T* __restrict y, int64_t channels, Fn value) const {
        if (args_.silu) {
            for (int64_t c = 0; c < channels; ++c) store(y[c], swish(value(c), 1.0f));
        } else {
            for (int64_t c = 0; c < channels; ++c) store(y[c], value(c));
        }
    }

    template <typename T>
    const T* map_pixel(const Bases& bases, const View& view, int64_t b, int64_t p) const {
        const int64_t y = p / width_ * view.dims[2] / height_, x = p % width_ * view.dims[3] / width_;
        return reinterpret_cast<const T*>(bases.at(view)) + b * view.strides[0] + y * view.strides[2] +
               x * view.strides[3];
    }

    GroupNormArgs args_;
    int64_t batch_, channels_, height_, width_, pixels_, chunks_;
};

// Normalises each row of src (rows, width), values next to each other. Weight and bias are float32 (width).
class LayerNorm final : public Step {
public:
    LayerNorm(const View& src, const View& weight, const View& bias, const View& dst, float eps)
        : src_(src), weight_(weight), bias_(bias), dst_(dst), eps_(eps) {}

    std::string describe() const override {
        return "layer norm " + std::to_string(src_.dims[0]) + "x" + std::to_string(src_.dims[1]);
    }

    void run(const Bases& bases, ThreadPool& pool, dnnl_stream_t) override {
        with_type(src_.dtype, [&](auto* type) {
            using T = std::remove_pointer_t<decltype(type)>;
            split(pool, src_.dims[0], (1 << 13) / src_.dims[1] + 1, [&](int64_t begin, int64_t end) {
                for (int64_t row = begin; row < end; ++row) run_row<T>(bases, row);
            });
        });
    }

private:
    template <typename T>
    void run_row(const Bases& bases, int64_t row) const {
        const int64_t n = src_.dims[1];
        const T* const x = reinterpret_cast<const T*>(bases.at(src_)) + row * src_.strides[0];
        T* const y = reinterpret_cast<T*>(bases.at(dst_)) + row * dst_.strides[0];
        const float* const weight = reinterpret_cast<const float*>(bases.at(weight_));
        const float* const bias = reinterpret_cast<const float*>(bases.at(bias_));
        const float mean = sum(n, [&](int64_t i) { return load(x[i]); }) / n;
        const float variance = sum(n, [&](int64_t i) { return (load(x[i]) - mean) * (load(x[i]) - mean); }) / n;
        const float inverse = 1.0f / std::sqrt(variance + eps_);
        for (int64_t i = 0; i < n; ++i) store(y[i], (load(x[i]) - mean) * inverse * weight[i] + bias[i]);
    }

    // In several lanes, which is as fast as it is exact.
    template <typename Fn>
    static float sum(int64_t n, Fn value) {
        float lanes[kLanes] = {};
        int64_t i = 0;
        for (; i + kLanes <= n; i += kLanes)
            for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += value(i + lane);
        double total = 0.0;
        for (; i < n; ++i) total += value(i);
        for (float lane : lanes) total += lane;
        return static_cast<float>(total);
    }

    View src_, weight_, bias_, dst_;
    float eps_;
};

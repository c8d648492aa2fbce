// A small plan on several threads, to be compiled with a sanitizer: each kind of step, run a few times over.

#include "plan.cpp"

#include <cstdio>

namespace {

constexpr int kBatch = 2, kChannels = 24, kSide = 9, kPixels = kSide * kSide, kHeads = 3, kWidth = 8, kRuns = 20;

View view(int32_t space, int64_t offset, std::vector<int64_t> dims, std::vector<int64_t> strides) {
    View result{space, dnnl_f32, offset, static_cast<int64_t>(dims.size()), {}, {}};
    std::copy(dims.begin(), dims.end(), result.dims);
    std::copy(strides.begin(), strides.end(), result.strides);
    return result;
}

// The map number `i` of the arena.
View map(int i) {
    return view(View::kArena, int64_t{4} * i * kBatch * kPixels * kChannels, {kBatch, kChannels, kSide, kSide},
                {kPixels * kChannels, 1, kSide * kChannels, kChannels});
}

View rows(int i) {
    return view(View::kArena, map(i).offset, {kBatch * kPixels, kChannels}, {kChannels, 1});
}

View heads(int i) {
    return view(View::kArena, map(i).offset, {kBatch, kHeads, kPixels, kWidth},
                {kPixels * kChannels, kWidth, kChannels, 1});
}

View constants(const std::vector<float>& values) {
    return view(View::kAddress, reinterpret_cast<int64_t>(values.data()), {kChannels}, {1});
}

void must(int status) {
    if (status != kDone) {
        std::fprintf(stderr, "%s\n", plan_error());
        std::exit(2);
    }
}

DenseArgs dense(int src, int dst, const std::vector<float>& weight, int64_t kernel) {
    DenseArgs args{};
    args.stride = 1;
    args.padding_begin = args.padding_end = kernel / 2;
    const bool is_map = kernel > 0;
    args.src = is_map ? map(src) : rows(src);
    args.dst = is_map ? map(dst) : rows(dst);
    args.residual = is_map ? map(0) : rows(0);
    args.weight = {kernel, weight.data(), is_map ? 4 : 2, {kChannels, kChannels, kernel, kernel},
                   {kChannels * std::max<int64_t>(1, kernel * kernel), std::max<int64_t>(1, kernel * kernel), kernel, 1},
                   weight.data()};
    args.activation = Activation::kSilu;
    return args;
}

}  // namespace

int main() {
    const std::vector<float> weight(kChannels * kChannels * 16, 0.01f), ones(kChannels, 1.0f);
    Device* device;
    WeightStore* weights;
    Plan* plan;
    must(device_new(4, &device));
    must(weights_new(&weights));
    must(plan_new(device, weights, &plan));

    const DenseArgs convolution = dense(0, 1, weight, 3), linear = dense(1, 2, weight, 0);
    must(plan_add_convolution(plan, &convolution));
    must(plan_add_linear(plan, &linear));
    DenseArgs tiles = dense(2, 3, weight, 3);
    tiles.weight = {16, weight.data(), 3, {16, kChannels, kChannels}, {kChannels * kChannels, kChannels, 1}, weight.data()};
    tiles.activation = Activation::kNone;
    must(plan_add_winograd(plan, &tiles, 2));
    GroupNormArgs norm{};
    norm.parts[0] = map(3);
    norm.weight = norm.bias = constants(ones);
    norm.dst = map(1);
    norm.groups = 4;
    norm.eps = 1e-5f;
    norm.silu = 1;
    must(plan_add_group_norm(plan, &norm));
    const View in = rows(1), out = rows(2), scale = constants(ones);
    must(plan_add_layer_norm(plan, &in, &scale, &scale, &out, 1e-5f));
    AttentionArgs attention{};
    attention.query = attention.keys[0] = attention.values[0] = heads(2);
    attention.dst = heads(1);
    attention.scale = 0.3f;
    must(plan_add_attention(plan, &attention));
    const View sum[] = {rows(1), rows(2)}, total = rows(3);
    must(plan_add_pointwise(plan, static_cast<int>(PointwiseKind::kAdd), sum, 2, &total));

    std::vector<float> arena(4 * kBatch * kPixels * kChannels), first;
    std::vector<char> scratch(plan_scratch_bytes(plan));
    for (int i = 0; i < kBatch * kPixels * kChannels; ++i) arena[i] = static_cast<float>(i % 17) * 0.1f;
    for (int run = 0; run < kRuns; ++run) {
        must(plan_run(plan, arena.data(), scratch.data(), nullptr, nullptr));
        if (run == 0) first = arena;
        if (arena != first) return 1;
    }
    plan_delete(plan);
    weights_delete(weights);
    device_delete(device);
    std::puts("the same each time");
}

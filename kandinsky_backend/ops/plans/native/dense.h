// Convolutions and matrix products by oneDNN, with bias, a residual and an activation in the same pass.

#pragma once

#include "steps.h"

// Where a weight's values are: float32 in the order (out, in) or (out, in, height, width), with any strides.
struct WeightArgs {
    int64_t id;        // in the WeightStore
    const void* data;  // may be null if the store has the weight; NeedsWeight is thrown where that does not do
    int64_t ndim;
    int64_t dims[4];
    int64_t strides[4];
    const float* bias;  // or null
};

// The store has no layout of a weight that suits, and its values were not given.
struct NeedsWeight : std::runtime_error {
    NeedsWeight() : std::runtime_error("the values of a weight are needed") {}
};

enum class Activation : int32_t { kNone, kSilu, kQuickGelu, kGelu };

struct DenseArgs {
    View src, residual, dst;  // the residual is added before the activation
    WeightArgs weight;
    int64_t stride, padding_begin, padding_end;  // of convolutions
    Activation activation;
};

// A primitive with weights: what the two kinds have in common.
class Dense : public Step {
public:
    std::string describe() const override { return description_; }
    size_t scratch_bytes() const override { return scratch_bytes_; }

    void run(const Bases& bases, ThreadPool&, dnnl_stream_t stream) override {
        dnnl_memory_set_data_handle(src_.get(), bases.at(args_.src));
        dnnl_memory_set_data_handle(dst_.get(), bases.at(args_.dst));
        dnnl_memory_set_data_handle(scratch_.get(), bases.scratch);
        if (residual_) dnnl_memory_set_data_handle(residual_.get(), bases.at(args_.residual));
        check(dnnl_primitive_execute(primitive_.get(), stream, static_cast<int>(exec_.size()), exec_.data()),
              description_.c_str());
    }

protected:
    explicit Dense(const DenseArgs& args) : args_(args) {}

    // Makes a primitive's description for weights described as given, or returns null where oneDNN has none.
    virtual PrimitiveDesc plan(const_dnnl_memory_desc_t weights, const Attributes& attributes) const = 0;
    // The dims of the weights in the primitive's own order, and the strides of the values as they are given.
    virtual Dims weight_dims() const = 0;
    virtual Dims weight_strides() const = 0;
    virtual MemoryDesc desc_of(const View& view) const = 0;
    virtual MemoryDesc bias_desc() const = 0;

    void build(const char* name, WeightStore& store, dnnl_stream_t stream) {
        const Attributes attributes = make_attributes(post_ops());
        PrimitiveDesc desc = choose(attributes, store, stream);
        src_ = make_memory(desc_of(args_.src).get(), nullptr);
        dst_ = make_memory(desc_of(args_.dst).get(), nullptr);
        scratch_ = scratch_memory(desc);
        scratch_bytes_ = ::scratch_bytes(desc);
        exec_ = {{DNNL_ARG_SRC, src_.get()},
                 {DNNL_ARG_WEIGHTS, packed_->memory.get()},
                 {DNNL_ARG_DST, dst_.get()},
                 {DNNL_ARG_SCRATCHPAD, scratch_.get()}};
        if (args_.weight.bias != nullptr) {
            bias_values_.assign(args_.weight.bias, args_.weight.bias + args_.weight.dims[0]);
            bias_ = make_memory(bias_desc().get(), bias_values_.data());
            exec_.push_back({DNNL_ARG_BIAS, bias_.get()});
        }
        if (args_.residual.present()) {
            residual_ = make_memory(desc_of(args_.residual).get(), nullptr);
            exec_.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1, residual_.get()});
        }
        description_ = std::string(name) + shapes() + " " + implementation(desc);
        primitive_ = make_primitive(desc);
    }

    DenseArgs args_;

private:
    PostOps post_ops() const {
        PostOps post_ops = make_post_ops();
        if (args_.residual.present()) {
            check(dnnl_post_ops_append_binary(post_ops.get(), dnnl_binary_add, desc_of(args_.residual).get()),
                  "appending a residual");
        }
        const auto append = [&](int algorithm, float alpha) {
            check(dnnl_post_ops_append_eltwise(post_ops.get(), algorithm, alpha, 0.0f), "appending an activation");
        };
        if (args_.activation == Activation::kSilu) append(dnnl_eltwise_swish, 1.0f);
        if (args_.activation == Activation::kQuickGelu) append(dnnl_eltwise_swish, 1.702f);
        if (args_.activation == Activation::kGelu) append(dnnl_eltwise_gelu_erf, 0.0f);
        return post_ops;
    }

    // Prefers a layout that the weight has already, unless oneDNN has but its slow reference for it.
    PrimitiveDesc choose(const Attributes& attributes, WeightStore& store, dnnl_stream_t stream) {
        for (const auto& packed : store.layouts(args_.weight.id)) {
            PrimitiveDesc desc = plan(packed->desc.get(), attributes);
            if (desc && implementation(desc).find("ref") == std::string::npos) {
                packed_ = packed;
                return desc;
            }
        }
        PrimitiveDesc desc = plan(any_desc(weight_dims(), args_.src.dtype).get(), attributes);
        if (!desc) throw std::runtime_error("oneDNN has no primitive for " + shapes());
        if (args_.weight.data == nullptr) throw NeedsWeight();
        const MemoryDesc plain = strided_desc(weight_dims(), weight_strides(), dnnl_f32);
        packed_ = store.pack(args_.weight.id, weights_desc(desc), plain, args_.weight.data, stream);
        return desc;
    }

    std::string shapes() const {
        std::string text;
        const auto append = [&](const char* what, const int64_t* dims, int64_t count) {
            text += what;
            for (int64_t i = 0; i < count; ++i) text += (i == 0 ? "" : "x") + std::to_string(dims[i]);
        };
        append(" ", args_.src.dims, args_.src.ndim);
        append(" by ", args_.weight.dims, args_.weight.ndim);
        return text;
    }

    std::shared_ptr<const Packed> packed_;
    std::vector<float> bias_values_;
    Memory src_, dst_, residual_, bias_, scratch_;
    Primitive primitive_;
    std::vector<dnnl_exec_arg_t> exec_;
    size_t scratch_bytes_ = 0;
    std::string description_;
};

// src (batch, in, height, width), channels next to each other.
class Convolution final : public Dense {
public:
    Convolution(const DenseArgs& args, WeightStore& store, dnnl_stream_t stream) : Dense(args) {
        build("convolution", store, stream);
    }

private:
    PrimitiveDesc plan(const_dnnl_memory_desc_t weights, const Attributes& attributes) const override {
        const MemoryDesc src = desc_of(args_.src), dst = desc_of(args_.dst), bias = bias_desc();
        const dnnl_dims_t strides = {args_.stride, args_.stride}, dilates = {0, 0};
        const dnnl_dims_t begin = {args_.padding_begin, args_.padding_begin};
        const dnnl_dims_t end = {args_.padding_end, args_.padding_end};
        dnnl_primitive_desc_t handle = nullptr;
        const dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(
            &handle, engine(), dnnl_forward_inference, dnnl_convolution_direct, src.get(), weights,
            args_.weight.bias == nullptr ? nullptr : bias.get(), dst.get(), strides, dilates, begin, end,
            attributes.get());
        return PrimitiveDesc(status == 0 ? handle : nullptr);
    }
    Dims weight_dims() const override { return Dims(args_.weight.dims, args_.weight.dims + 4); }
    Dims weight_strides() const override { return Dims(args_.weight.strides, args_.weight.strides + 4); }
    MemoryDesc desc_of(const View& view) const override {
        return strided_desc(Dims(view.dims, view.dims + 4), Dims(view.strides, view.strides + 4), view.dtype);
    }
    MemoryDesc bias_desc() const override { return strided_desc({args_.weight.dims[0]}, {1}, dnnl_f32); }
};

// src (rows, in) times weight (out, in) transposed.
class Linear final : public Dense {
public:
    Linear(const DenseArgs& args, WeightStore& store, dnnl_stream_t stream) : Dense(args) {
        build("linear", store, stream);
    }

private:
    PrimitiveDesc plan(const_dnnl_memory_desc_t weights, const Attributes& attributes) const override {
        const MemoryDesc src = desc_of(args_.src), dst = desc_of(args_.dst), bias = bias_desc();
        dnnl_primitive_desc_t handle = nullptr;
        const dnnl_status_t status = dnnl_matmul_primitive_desc_create(
            &handle, engine(), src.get(), weights, args_.weight.bias == nullptr ? nullptr : bias.get(), dst.get(),
            attributes.get());
        return PrimitiveDesc(status == 0 ? handle : nullptr);
    }
    Dims weight_dims() const override { return {args_.weight.dims[1], args_.weight.dims[0]}; }
    Dims weight_strides() const override { return {args_.weight.strides[1], args_.weight.strides[0]}; }
    MemoryDesc desc_of(const View& view) const override {
        return strided_desc(Dims(view.dims, view.dims + 2), Dims(view.strides, view.strides + 2), view.dtype);
    }
    MemoryDesc bias_desc() const override {
        return strided_desc({1, args_.weight.dims[0]}, {args_.weight.dims[0], 1}, dnnl_f32);
    }
};

// Where a step reads and writes: strided tensors in the plan's arena, in its arguments, or among its constants.

#pragma once

#include <stdexcept>

#include "numbers.h"
#include "onednn.h"

constexpr int kMaxDims = 6;

// The planner fills these in (native.py has the same fields). Strides are in elements, `offset` is in bytes.
struct View {
    enum Space : int32_t { kNone = 0, kArena = 1, kAddress = 2, kArgument = 3 };  // kArgument + i is the i-th argument
    int32_t space;
    int32_t dtype;  // dnnl_f32, dnnl_bf16, or dnnl_s32 for the numbers of rows
    int64_t offset;
    int64_t ndim;
    int64_t dims[kMaxDims];
    int64_t strides[kMaxDims];

    bool present() const { return space != kNone; }
    int64_t count() const {
        int64_t product = 1;
        for (int i = 0; i < ndim; ++i) product *= dims[i];
        return product;
    }
};

// What views are resolved against in one run.
struct Bases {
    char* arena;
    char* scratch;
    void** arguments;

    char* at(const View& view) const {
        switch (view.space) {
            case View::kNone:
                return nullptr;
            case View::kArena:
                return arena + view.offset;
            case View::kAddress:
                return reinterpret_cast<char*>(view.offset);
            default:
                return static_cast<char*>(arguments[view.space - View::kArgument]) + view.offset;
        }
    }
};

// Calls fn with a null pointer of the element type that `dtype` stands for.
template <typename Fn>
void with_type(int32_t dtype, Fn&& fn) {
    if (dtype == dnnl_f32) {
        fn(static_cast<float*>(nullptr));
    } else if (dtype == dnnl_bf16) {
        fn(static_cast<bfloat16*>(nullptr));
    } else {
        throw std::runtime_error("a view has an element type that is not known");
    }
}

// oneDNN's objects with owners, and weights in the layouts that its primitives want.

#pragma once

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "onednn.h"
#include "threads.h"

using Dims = std::vector<int64_t>;

inline void check(dnnl_status_t status, const char* what) {
    if (status == dnnl_out_of_memory) throw std::bad_alloc();
    if (status != 0) throw std::runtime_error(std::string("oneDNN: ") + what + " failed, status " + std::to_string(status));
}

template <typename T, dnnl_status_t (*destroy)(T)>
struct Destroyer {
    void operator()(T handle) const { destroy(handle); }
};

template <typename T, dnnl_status_t (*destroy)(T)>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, Destroyer<T, destroy>>;

using Engine = Owned<dnnl_engine_t, dnnl_engine_destroy>;
using Stream = Owned<dnnl_stream_t, dnnl_stream_destroy>;
using MemoryDesc = Owned<dnnl_memory_desc_t, dnnl_memory_desc_destroy>;
using Memory = Owned<dnnl_memory_t, dnnl_memory_destroy>;
using Attributes = Owned<dnnl_primitive_attr_t, dnnl_primitive_attr_destroy>;
using PostOps = Owned<dnnl_post_ops_t, dnnl_post_ops_destroy>;
using PrimitiveDesc = Owned<dnnl_primitive_desc_t, dnnl_primitive_desc_destroy>;
using Primitive = Owned<dnnl_primitive_t, dnnl_primitive_destroy>;

inline dnnl_engine_t engine() {
    static const Engine the_engine = [] {
        dnnl_engine_t handle;
        check(dnnl_engine_create(&handle, dnnl_cpu, 0), "making an engine");
        return Engine(handle);
    }();
    return the_engine.get();
}

inline Stream make_stream(ThreadPool& pool) {
    dnnl_stream_t handle;
    check(dnnl_threadpool_interop_stream_create(&handle, engine(), &pool), "making a stream");
    return Stream(handle);
}

inline MemoryDesc strided_desc(const Dims& dims, const Dims& strides, int dtype) {
    dnnl_dims_t raw_dims, raw_strides;
    std::copy(dims.begin(), dims.end(), raw_dims);
    std::copy(strides.begin(), strides.end(), raw_strides);
    dnnl_memory_desc_t handle;
    check(dnnl_memory_desc_create_with_strides(&handle, static_cast<int>(dims.size()), raw_dims, dtype, raw_strides),
          "describing a tensor");
    return MemoryDesc(handle);
}

// Leaves the layout to the primitive.
inline MemoryDesc any_desc(const Dims& dims, int dtype) {
    dnnl_dims_t raw_dims;
    std::copy(dims.begin(), dims.end(), raw_dims);
    dnnl_memory_desc_t handle;
    check(dnnl_memory_desc_create_with_tag(&handle, static_cast<int>(dims.size()), raw_dims, dtype, dnnl_format_tag_any),
          "describing weights");
    return MemoryDesc(handle);
}

inline MemoryDesc clone(const_dnnl_memory_desc_t desc) {
    dnnl_memory_desc_t handle;
    check(dnnl_memory_desc_clone(&handle, desc), "copying a description");
    return MemoryDesc(handle);
}

inline Memory make_memory(const_dnnl_memory_desc_t desc, void* data) {
    dnnl_memory_t handle;
    check(dnnl_memory_create(&handle, desc, engine(), data), "wrapping memory");
    return Memory(handle);
}

inline Attributes make_attributes(const PostOps& post_ops) {
    dnnl_primitive_attr_t handle;
    check(dnnl_primitive_attr_create(&handle), "making attributes");
    Attributes attributes(handle);
    check(dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user), "setting the scratchpad mode");
    check(dnnl_primitive_attr_set_post_ops(handle, post_ops.get()), "setting post-ops");
    return attributes;
}

inline PostOps make_post_ops() {
    dnnl_post_ops_t handle;
    check(dnnl_post_ops_create(&handle), "making post-ops");
    return PostOps(handle);
}

// oneDNN compiles nothing more in a thread in which it once had no memory for that.
inline Primitive make_primitive(const PrimitiveDesc& desc) {
    dnnl_primitive_t handle;
    check(dnnl_primitive_create(&handle, desc.get()), "compiling a primitive");
    return Primitive(handle);
}

inline const_dnnl_memory_desc_t weights_desc(const PrimitiveDesc& desc) {
    return dnnl_primitive_desc_query_md(desc.get(), dnnl_query_weights_md, 0);
}

inline size_t scratch_bytes(const PrimitiveDesc& desc) {
    return dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(desc.get(), dnnl_query_scratchpad_md, 0));
}

inline Memory scratch_memory(const PrimitiveDesc& desc) {
    return make_memory(dnnl_primitive_desc_query_md(desc.get(), dnnl_query_scratchpad_md, 0), nullptr);
}

inline std::string implementation(const PrimitiveDesc& desc) {
    const char* name = "";
    dnnl_primitive_desc_query(desc.get(), dnnl_query_impl_info_str, 0, &name);
    return name;
}

// Memory that starts on a page of its own.
class Block {
public:
    explicit Block(size_t bytes) : data_(std::aligned_alloc(kAlignment, round_up(bytes))) {
        if (data_ == nullptr) throw std::bad_alloc();
    }
    ~Block() { std::free(data_); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    void* data() const { return data_; }

private:
    static constexpr size_t kAlignment = 4096;
    static size_t round_up(size_t bytes) { return (bytes / kAlignment + 1) * kAlignment; }
    void* data_;
};

// A weight in a layout of oneDNN's.
struct Packed {
    Packed(const_dnnl_memory_desc_t wanted)
        : desc(clone(wanted)),
          block(dnnl_memory_desc_get_size(wanted)),
          memory(make_memory(wanted, block.data())) {}
    MemoryDesc desc;
    Block block;
    Memory memory;
};

// The weights of a model in the layouts that its plans hold. Plans share a layout that suits them all; one that no plan
// holds any more is gone.
class WeightStore {
public:
    // The layouts that weight `id` is in.
    std::vector<std::shared_ptr<const Packed>> layouts(int64_t id) const {
        std::vector<std::shared_ptr<const Packed>> alive;
        const auto found = packed_.find(id);
        if (found == packed_.end()) return alive;
        for (const auto& weak : found->second) {
            if (auto packed = weak.lock()) alive.push_back(std::move(packed));
        }
        return alive;
    }

    // Stores `data`, which `plain` describes, in the layout `wanted` as weight `id`.
    std::shared_ptr<const Packed> pack(int64_t id, const_dnnl_memory_desc_t wanted, const MemoryDesc& plain,
                                       const void* data, dnnl_stream_t stream) {
        auto packed = std::make_shared<const Packed>(wanted);
        const Memory source = make_memory(plain.get(), const_cast<void*>(data));
        dnnl_primitive_desc_t handle;
        check(dnnl_reorder_primitive_desc_create(&handle, plain.get(), engine(), wanted, engine(), nullptr),
              "planning the packing of a weight");
        const PrimitiveDesc desc(handle);
        const Primitive reorder = make_primitive(desc);
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, source.get()}, {DNNL_ARG_DST, packed->memory.get()}};
        check(dnnl_primitive_execute(reorder.get(), stream, 2, args), "packing a weight");
        packed_[id].push_back(packed);
        return packed;
    }

    // Of all layouts.
    size_t bytes() const {
        size_t total = 0;
        for (const auto& [id, unused] : packed_) {
            for (const auto& packed : layouts(id)) total += dnnl_memory_desc_get_size(packed->desc.get());
        }
        return total;
    }

private:
    std::map<int64_t, std::vector<std::weak_ptr<const Packed>>> packed_;
};

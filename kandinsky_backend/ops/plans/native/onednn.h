// The part of oneDNN 3's C interface that the executor uses, declared here because no package offers the headers alone:
// onednn-devel pulls in Intel's own build of the library with its runtimes, 400 MB that nothing of ours would load. The
// library itself is the one inside MindSpore. The C interface keeps its numbers within a major version.
// Reference: https://uxlfoundation.github.io/oneDNN/

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

extern "C" {

typedef int dnnl_status_t;  // 0 is success
typedef int64_t dnnl_dims_t[12];

typedef struct dnnl_engine* dnnl_engine_t;
typedef struct dnnl_stream* dnnl_stream_t;
typedef struct dnnl_memory* dnnl_memory_t;
typedef struct dnnl_memory_desc* dnnl_memory_desc_t;
typedef const struct dnnl_memory_desc* const_dnnl_memory_desc_t;
typedef struct dnnl_primitive* dnnl_primitive_t;
typedef struct dnnl_primitive_desc* dnnl_primitive_desc_t;
typedef const struct dnnl_primitive_desc* const_dnnl_primitive_desc_t;
typedef struct dnnl_primitive_attr* dnnl_primitive_attr_t;
typedef struct dnnl_post_ops* dnnl_post_ops_t;

typedef struct {
    int arg;
    dnnl_memory_t memory;
} dnnl_exec_arg_t;

typedef struct {
    int major, minor, patch;
    const char* hash;
    unsigned cpu_runtime, gpu_runtime;
} dnnl_version_t;

enum { dnnl_out_of_memory = 1 };
enum { dnnl_cpu = 1 };
enum { dnnl_stream_default_flags = 1 };
enum { dnnl_bf16 = 2, dnnl_f32 = 3, dnnl_s32 = 4 };
enum { dnnl_format_tag_any = 1 };
enum { dnnl_forward_inference = 96 };
enum { dnnl_convolution_direct = 0x1 };
enum { dnnl_eltwise_swish = 0x2c, dnnl_eltwise_gelu_erf = 0x31 };
enum { dnnl_binary_add = 0x1fff0 };
enum { dnnl_scratchpad_mode_user = 1 };
enum { dnnl_query_impl_info_str = 8, dnnl_query_weights_md = 131, dnnl_query_scratchpad_md = 136 };
enum { DNNL_RUNTIME_THREADPOOL = 8 };

enum {
    DNNL_ARG_SRC = 1,
    DNNL_ARG_SRC_1 = 2,
    DNNL_ARG_DST = 17,
    DNNL_ARG_WEIGHTS = 33,
    DNNL_ARG_BIAS = 41,
    DNNL_ARG_SCRATCHPAD = 80,
    DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE = 32768,  // times the number of the post-op, counted from 1
};

const dnnl_version_t* dnnl_version();

dnnl_status_t dnnl_engine_create(dnnl_engine_t*, int kind, size_t index);
dnnl_status_t dnnl_engine_destroy(dnnl_engine_t);
dnnl_status_t dnnl_threadpool_interop_stream_create(dnnl_stream_t*, dnnl_engine_t, void* threadpool);
dnnl_status_t dnnl_threadpool_interop_set_max_concurrency(int);
dnnl_status_t dnnl_stream_destroy(dnnl_stream_t);

dnnl_status_t dnnl_memory_desc_create_with_strides(dnnl_memory_desc_t*, int ndims, const dnnl_dims_t dims,
                                                   int data_type, const dnnl_dims_t strides);
dnnl_status_t dnnl_memory_desc_create_with_tag(dnnl_memory_desc_t*, int ndims, const dnnl_dims_t dims, int data_type,
                                               int tag);
dnnl_status_t dnnl_memory_desc_clone(dnnl_memory_desc_t*, const_dnnl_memory_desc_t);
dnnl_status_t dnnl_memory_desc_destroy(dnnl_memory_desc_t);
int dnnl_memory_desc_equal(const_dnnl_memory_desc_t, const_dnnl_memory_desc_t);
size_t dnnl_memory_desc_get_size(const_dnnl_memory_desc_t);

dnnl_status_t dnnl_memory_create(dnnl_memory_t*, const_dnnl_memory_desc_t, dnnl_engine_t, void* data);
dnnl_status_t dnnl_memory_set_data_handle(dnnl_memory_t, void* data);
dnnl_status_t dnnl_memory_destroy(dnnl_memory_t);

dnnl_status_t dnnl_primitive_attr_create(dnnl_primitive_attr_t*);
dnnl_status_t dnnl_primitive_attr_destroy(dnnl_primitive_attr_t);
dnnl_status_t dnnl_primitive_attr_set_scratchpad_mode(dnnl_primitive_attr_t, int mode);
dnnl_status_t dnnl_primitive_attr_set_post_ops(dnnl_primitive_attr_t, const struct dnnl_post_ops*);
dnnl_status_t dnnl_post_ops_create(dnnl_post_ops_t*);
dnnl_status_t dnnl_post_ops_destroy(dnnl_post_ops_t);
dnnl_status_t dnnl_post_ops_append_sum(dnnl_post_ops_t, float scale, int32_t zero_point, int data_type);
dnnl_status_t dnnl_post_ops_append_eltwise(dnnl_post_ops_t, int algorithm, float alpha, float beta);
dnnl_status_t dnnl_post_ops_append_binary(dnnl_post_ops_t, int algorithm, const_dnnl_memory_desc_t);

dnnl_status_t dnnl_convolution_forward_primitive_desc_create(
    dnnl_primitive_desc_t*, dnnl_engine_t, int prop_kind, int algorithm, const_dnnl_memory_desc_t src,
    const_dnnl_memory_desc_t weights, const_dnnl_memory_desc_t bias, const_dnnl_memory_desc_t dst,
    const dnnl_dims_t strides, const dnnl_dims_t dilates, const dnnl_dims_t padding_l, const dnnl_dims_t padding_r,
    const struct dnnl_primitive_attr*);
dnnl_status_t dnnl_matmul_primitive_desc_create(dnnl_primitive_desc_t*, dnnl_engine_t, const_dnnl_memory_desc_t src,
                                                const_dnnl_memory_desc_t weights, const_dnnl_memory_desc_t bias,
                                                const_dnnl_memory_desc_t dst, const struct dnnl_primitive_attr*);
dnnl_status_t dnnl_reorder_primitive_desc_create(dnnl_primitive_desc_t*, const_dnnl_memory_desc_t src, dnnl_engine_t,
                                                 const_dnnl_memory_desc_t dst, dnnl_engine_t,
                                                 const struct dnnl_primitive_attr*);
const_dnnl_memory_desc_t dnnl_primitive_desc_query_md(const_dnnl_primitive_desc_t, int what, int index);
dnnl_status_t dnnl_primitive_desc_query(const_dnnl_primitive_desc_t, int what, int index, void* result);
dnnl_status_t dnnl_primitive_desc_destroy(dnnl_primitive_desc_t);
dnnl_status_t dnnl_primitive_create(dnnl_primitive_t*, const_dnnl_primitive_desc_t);
dnnl_status_t dnnl_primitive_execute(const struct dnnl_primitive*, dnnl_stream_t, int count, const dnnl_exec_arg_t*);
dnnl_status_t dnnl_primitive_destroy(dnnl_primitive_t);

}  // extern "C"

namespace dnnl::threadpool_interop {

// What a stream calls to run in parallel. The order of the virtual functions is that of the library's own class.
struct threadpool_iface {
    virtual int get_num_threads() const = 0;
    virtual bool get_in_parallel() const = 0;
    virtual void parallel_for(int n, const std::function<void(int, int)>& fn) = 0;
    virtual uint64_t get_flags() const = 0;
    virtual void wait() {}  // only newer versions call it, and only if get_flags says that parallel_for may return early
    virtual ~threadpool_iface() = default;
};

}  // namespace dnnl::threadpool_interop

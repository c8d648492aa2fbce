// softmax(query key^T * scale + mask) value, a block of queries at a time: the scores of a block stay in a core's cache.

#pragma once

#include "steps.h"

// The planner's description (native.py has the same fields). All are (batch, heads, tokens, width), the widths next to
// each other; keys and values may come in several parts, whose tokens follow each other.
constexpr int kMaxParts = 3;

struct AttentionArgs {
    View query, dst;
    View keys[kMaxParts], values[kMaxParts];
    View mask;  // float32, added to the scaled scores; or none
    float scale;
};

class Attention final : public Step {
public:
    Attention(const AttentionArgs& args, ThreadPool& pool) : args_(args) {
        while (parts_ < kMaxParts && args.keys[parts_].present()) keys_ += args.keys[parts_++].dims[2];
        const int64_t queries = args.query.dims[2];
        rows_ = std::min<int64_t>(queries, kBlockQueries);
        blocks_ = (queries + rows_ - 1) / rows_;
        dnnl_threadpool_interop_set_max_concurrency(1);  // each product below runs on the one thread that asks for it
        full_ = make_products(rows_);
        const int64_t rest = queries - (blocks_ - 1) * rows_;
        if (rest != rows_) last_ = make_products(rest);
        dnnl_threadpool_interop_set_max_concurrency(pool.get_num_threads());
        for (int i = 0; i < pool.get_num_threads(); ++i) lanes_.push_back(std::make_unique<Lane>(*this));
    }

    std::string describe() const override {
        const int64_t* const q = args_.query.dims;
        return "attention " + std::to_string(q[0]) + "x" + std::to_string(q[1]) + "x" + std::to_string(q[2]) + "x" +
               std::to_string(q[3]) + " to " + std::to_string(keys_);
    }

    size_t scratch_bytes() const override { return lane_bytes() * lanes_.size(); }

    void run(const Bases& bases, ThreadPool& pool, dnnl_stream_t) override {
        const int64_t tasks = args_.query.dims[0] * args_.query.dims[1] * blocks_;
        const int lanes = static_cast<int>(std::min<int64_t>(tasks, static_cast<int64_t>(lanes_.size())));
        std::atomic<int64_t> next{0};
        pool.parallel_for(lanes, [&](int lane, int) {
            dnnl_threadpool_interop_set_max_concurrency(1);
            for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
                run_block(bases, *lanes_[lane], bases.scratch + lane_bytes() * lane, task);
            }
        });
        dnnl_threadpool_interop_set_max_concurrency(pool.get_num_threads());
    }

private:
    static constexpr int64_t kBlockQueries = 64;

    // A product of oneDNN's for one part of the keys: scores = query key^T, or mixed (+)= weights value.
    struct Product {
        MemoryDesc a, b, c;
        PrimitiveDesc desc;
        Primitive primitive;
    };

    struct Products {
        int64_t rows;
        Product scores[kMaxParts], mixed[kMaxParts];
    };

    // What one thread needs for itself.
    struct Lane {
        explicit Lane(const Attention& step) : pool(1), stream(make_stream(pool)) {
            for (int i = 0; i < step.parts_; ++i) {
                add(step.full_.scores[i]);
                add(step.full_.mixed[i]);
                if (step.last_.rows != 0) {
                    add(step.last_.scores[i]);
                    add(step.last_.mixed[i]);
                }
            }
        }

        void add(const Product& product) {
            tensors[&product] = {make_memory(product.a.get(), nullptr), make_memory(product.b.get(), nullptr),
                                 make_memory(product.c.get(), nullptr), scratch_memory(product.desc)};
        }

        void multiply(const Product& product, const void* a, const void* b, void* c, void* scratch) {
            Tensors& t = tensors.at(&product);
            dnnl_memory_set_data_handle(t.a.get(), const_cast<void*>(a));
            dnnl_memory_set_data_handle(t.b.get(), const_cast<void*>(b));
            dnnl_memory_set_data_handle(t.c.get(), c);
            dnnl_memory_set_data_handle(t.scratch.get(), scratch);
            const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, t.a.get()},
                                            {DNNL_ARG_WEIGHTS, t.b.get()},
                                            {DNNL_ARG_DST, t.c.get()},
                                            {DNNL_ARG_SCRATCHPAD, t.scratch.get()}};
            check(dnnl_primitive_execute(product.primitive.get(), stream.get(), 4, args), "attention");
        }

        struct Tensors {
            Memory a, b, c, scratch;
        };
        ThreadPool pool;
        Stream stream;
        std::map<const Product*, Tensors> tensors;
    };

    Products make_products(int64_t rows) {
        Products products{rows, {}, {}};
        const int type = args_.query.dtype;
        const int64_t width = args_.query.dims[3], out_width = args_.values[0].dims[3];
        for (int i = 0; i < parts_; ++i) {
            const View &k = args_.keys[i], &v = args_.values[i];
            const int64_t tokens = k.dims[2];
            products.scores[i] = make_product(strided_desc({rows, width}, {args_.query.strides[2], 1}, type),
                                              strided_desc({width, tokens}, {1, k.strides[2]}, type),
                                              strided_desc({rows, tokens}, {keys_, 1}, dnnl_f32), false);
            products.mixed[i] = make_product(strided_desc({rows, tokens}, {keys_, 1}, type),
                                             strided_desc({tokens, out_width}, {v.strides[2], 1}, type),
                                             strided_desc({rows, out_width}, {args_.dst.strides[2], 1}, type), i > 0);
        }
        return products;
    }

    Product make_product(MemoryDesc a, MemoryDesc b, MemoryDesc c, bool add) {
        PostOps post_ops = make_post_ops();
        if (add) check(dnnl_post_ops_append_sum(post_ops.get(), 1.0f, 0, 0), "appending a sum");
        const Attributes attributes = make_attributes(post_ops);
        dnnl_primitive_desc_t handle;
        check(dnnl_matmul_primitive_desc_create(&handle, engine(), a.get(), b.get(), nullptr, c.get(), attributes.get()),
              "planning attention");
        PrimitiveDesc desc(handle);
        product_scratch_ = std::max(product_scratch_, ::scratch_bytes(desc));
        Primitive primitive = make_primitive(desc);
        return {std::move(a), std::move(b), std::move(c), std::move(desc), std::move(primitive)};
    }

    // Scores, the same in the type of the values, and what the products want.
    size_t score_bytes() const { return round_up(sizeof(float) * rows_ * keys_); }
    size_t lane_bytes() const { return 2 * score_bytes() + round_up(product_scratch_); }
    static size_t round_up(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

    void run_block(const Bases& bases, Lane& lane, char* scratch, int64_t task) {
        const int64_t block = task % blocks_, head = task / blocks_ % args_.query.dims[1];
        const int64_t b = task / blocks_ / args_.query.dims[1], first = block * rows_;
        const Products& products = block == blocks_ - 1 && last_.rows != 0 ? last_ : full_;
        float* const scores = reinterpret_cast<float*>(scratch);
        char* const weights = scratch + score_bytes();
        char* const product_scratch = weights + score_bytes();
        int64_t start = 0;
        for (int i = 0; i < parts_; ++i) {
            lane.multiply(products.scores[i], place(bases, args_.query, b, head, first),
                          place(bases, args_.keys[i], b, head, 0), scores + start, product_scratch);
            start += args_.keys[i].dims[2];
        }
        with_type(args_.query.dtype, [&](auto* type) {
            using T = std::remove_pointer_t<decltype(type)>;
            for (int64_t row = 0; row < products.rows; ++row) {
                soften(bases, scores + row * keys_, reinterpret_cast<T*>(weights) + row * keys_, b, head, first + row);
            }
            start = 0;
            for (int i = 0; i < parts_; ++i) {
                lane.multiply(products.mixed[i], reinterpret_cast<T*>(weights) + start,
                              place(bases, args_.values[i], b, head, 0), place(bases, args_.dst, b, head, first),
                              product_scratch);
                start += args_.values[i].dims[2];
            }
        });
    }

    static char* place(const Bases& bases, const View& view, int64_t b, int64_t head, int64_t token) {
        const int64_t offset = b * view.strides[0] + head * view.strides[1] + token * view.strides[2];
        return bases.at(view) + offset * (view.dtype == dnnl_bf16 ? 2 : 4);
    }

    // The softmax of a row of scores, which is overwritten.
    template <typename T>
    void soften(const Bases& bases, float* __restrict scores, T* __restrict weights, int64_t b, int64_t head,
                int64_t query) const {
        const View& m = args_.mask;
        for (int64_t i = 0; i < keys_; ++i) scores[i] *= args_.scale;
        if (m.present()) {
            const float* const mask = reinterpret_cast<const float*>(bases.at(m)) + b * m.strides[0] +
                                      head * m.strides[1] + query * m.strides[2];
            for (int64_t i = 0; i < keys_; ++i) scores[i] += mask[i * m.strides[3]];
        }
        const float most = fold(scores, keys_, scores[0], [](float x, float y) { return x > y ? x : y; });
        for (int64_t i = 0; i < keys_; ++i) scores[i] = exp_of(scores[i] - most);
        const float total = fold(scores, keys_, 0.0f, [](float x, float y) { return x + y; });
        const float inverse = 1.0f / total;
        for (int64_t i = 0; i < keys_; ++i) store(weights[i], scores[i] * inverse);
    }

    template <typename Fn>
    static float fold(const float* values, int64_t n, float start, Fn fn) {
        float lanes[kLanes];
        std::fill(lanes, lanes + kLanes, start);
        int64_t i = 0;
        for (; i + kLanes <= n; i += kLanes)
            for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = fn(lanes[lane], values[i + lane]);
        for (; i < n; ++i) lanes[0] = fn(lanes[0], values[i]);
        for (int lane = 1; lane < kLanes; ++lane) lanes[0] = fn(lanes[0], lanes[lane]);
        return lanes[0];
    }

    AttentionArgs args_;
    int parts_ = 0;
    int64_t keys_ = 0, rows_ = 0, blocks_ = 0;
    size_t product_scratch_ = 0;
    Products full_{}, last_{};
    std::vector<std::unique_ptr<Lane>> lanes_;
};

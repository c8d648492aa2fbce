// 3 x 3 convolutions with fewer products: Winograd's minimal filtering (Lavin and Gray, 2015, arXiv:1509.09308). Tiles of
// 4 x 4 pixels take 36 products for each pair of channels instead of 144, tiles of 2 x 2 take 16 instead of 36; the
// weights grow by 4 and by 1.8.

#pragma once

#include "dense.h"

// The linear maps of the method in one dimension. `Tile` pixels come of `Tile` + 2.
template <int Tile>
struct Filtering;

template <>
struct Filtering<2> {
    static void enter(const Lanes* d, Lanes* v) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    }
    static void leave(const Lanes* m, Lanes* y) {
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
    }
};

template <>
struct Filtering<4> {
    static void enter(const Lanes* d, Lanes* v) {
        const Lanes even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
        const Lanes even2 = d[4] - d[2], odd2 = 2.0f * (d[3] - d[1]);
        v[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
        v[1] = even + odd;
        v[2] = even - odd;
        v[3] = even2 + odd2;
        v[4] = even2 - odd2;
        v[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
    }
    static void leave(const Lanes* m, Lanes* y) {
        const Lanes sum = m[1] + m[2], difference = m[1] - m[2];
        const Lanes sum2 = m[3] + m[4], difference2 = m[3] - m[4];
        y[0] = m[0] + sum + sum2;
        y[1] = difference + 2.0f * difference2;
        y[2] = sum + 4.0f * sum2;
        y[3] = difference + 8.0f * difference2 + m[5];
    }
};

// Stride 1, padding 1; maps, and what the products multiply, are of type T, and their sums float32. The weight is
// (places, in, out): the kernels as the planner transformed them.
template <int Tile, typename T>
class Winograd final : public Step {
public:
    Winograd(const DenseArgs& args, WeightStore& store, dnnl_stream_t stream)
        : args_(args),
          in_(args.src.dims[1]),
          out_(args.dst.dims[1]),
          height_(args.src.dims[2]),
          width_(args.src.dims[3]),
          down_((height_ + Tile - 1) / Tile),
          across_((width_ + Tile - 1) / Tile),
          tiles_(args.src.dims[0] * down_ * across_),
          band_(std::min(tiles_, band_for(in_, out_))) {
        full_ = make_product(band_, store, stream);
        if (tiles_ % band_ != 0) last_ = make_product(tiles_ % band_, store, stream);
        if (args.weight.bias != nullptr) bias_.assign(args.weight.bias, args.weight.bias + out_);
        bias_.resize(out_, 0.0f);
    }

    std::string describe() const override {
        return "winograd " + std::to_string(Tile) + " " + std::to_string(args_.src.dims[0]) + "x" +
               std::to_string(in_) + "x" + std::to_string(height_) + "x" + std::to_string(width_) + " to " +
               std::to_string(out_) + " " + implementation(full_.desc);
    }

    size_t scratch_bytes() const override { return entered_bytes() + product_bytes() + product_scratch_; }

    void run(const Bases& bases, ThreadPool& pool, dnnl_stream_t stream) override {
        T* const entered = reinterpret_cast<T*>(bases.scratch);
        float* const products = reinterpret_cast<float*>(bases.scratch + entered_bytes());
        char* const scratch = bases.scratch + entered_bytes() + product_bytes();
        for (int64_t first = 0; first < tiles_; first += band_) {
            const int64_t count = std::min(band_, tiles_ - first);
            split(pool, count, 4, [&](int64_t begin, int64_t end) {
                for (int64_t t = begin; t < end; ++t) enter(bases, entered + t * in_, count * in_, first + t);
            });
            multiply(count == band_ ? full_ : last_, entered, products, scratch, stream);
            split(pool, count, 4, [&](int64_t begin, int64_t end) {
                for (int64_t t = begin; t < end; ++t) leave(bases, products + t * out_, count * out_, first + t);
            });
        }
    }
private:
    static constexpr int kSide = Tile + 2, kPlaces = kSide * kSide;

    // How many tiles to take at a time: so many that the weights are not read too often, so few that what lies between
    // the three passes stays in a cache.
    static int64_t band_for(int64_t in, int64_t out) {
        constexpr int64_t kLeast = 2 << 20, kMost = 24 << 20, kLeastTiles = 64;
        const int64_t bytes = std::clamp<int64_t>(4 * kPlaces * in * out, kLeast, kMost);
        return std::max(kLeastTiles, bytes / (4 * kPlaces * (in + out)));
    }

    struct Product {
        PrimitiveDesc desc;
        Primitive primitive;
        Memory a, c, scratch;
    };

    struct Corner {
        int64_t batch, y, x;  // of a tile's first pixel
    };

    size_t entered_bytes() const { return sizeof(T) * kPlaces * band_ * in_; }
    size_t product_bytes() const { return sizeof(float) * kPlaces * band_ * out_; }

    Product make_product(int64_t tiles, WeightStore& store, dnnl_stream_t stream) {
        const MemoryDesc a = strided_desc({kPlaces, tiles, in_}, {tiles * in_, in_, 1}, args_.src.dtype);
        const MemoryDesc c = strided_desc({kPlaces, tiles, out_}, {tiles * out_, out_, 1}, dnnl_f32);
        const Attributes attributes = make_attributes(make_post_ops());
        if (!packed_) pack(a, c, attributes, store, stream);
        PrimitiveDesc desc = plan(a, packed_->desc.get(), c, attributes);
        product_scratch_ = std::max(product_scratch_, ::scratch_bytes(desc));
        Primitive primitive = make_primitive(desc);
        Memory scratch = scratch_memory(desc);
        return {std::move(desc), std::move(primitive), make_memory(a.get(), nullptr), make_memory(c.get(), nullptr),
                std::move(scratch)};
    }

    // In a layout that there is already, or in the one that the product wants.
    void pack(const MemoryDesc& a, const MemoryDesc& c, const Attributes& attributes, WeightStore& store,
              dnnl_stream_t stream) {
        const auto layouts = store.layouts(args_.weight.id);
        if (!layouts.empty()) {
            packed_ = layouts.front();
            return;
        }
        if (args_.weight.data == nullptr) throw NeedsWeight();
        const Dims dims(args_.weight.dims, args_.weight.dims + 3);
        const PrimitiveDesc desc = plan(a, any_desc(dims, args_.src.dtype).get(), c, attributes);
        const MemoryDesc plain = strided_desc(dims, Dims(args_.weight.strides, args_.weight.strides + 3), dnnl_f32);
        packed_ = store.pack(args_.weight.id, weights_desc(desc), plain, args_.weight.data, stream);
    }

    static PrimitiveDesc plan(const MemoryDesc& a, const_dnnl_memory_desc_t b, const MemoryDesc& c,
                              const Attributes& attributes) {
        dnnl_primitive_desc_t handle;
        check(dnnl_matmul_primitive_desc_create(&handle, engine(), a.get(), b, nullptr, c.get(), attributes.get()),
              "planning a convolution");
        return PrimitiveDesc(handle);
    }

    void multiply(const Product& product, T* a, float* c, char* scratch, dnnl_stream_t stream) const {
        dnnl_memory_set_data_handle(product.a.get(), a);
        dnnl_memory_set_data_handle(product.c.get(), c);
        dnnl_memory_set_data_handle(product.scratch.get(), scratch);
        const dnnl_exec_arg_t exec[] = {{DNNL_ARG_SRC, product.a.get()},
                                        {DNNL_ARG_WEIGHTS, packed_->memory.get()},
                                        {DNNL_ARG_DST, product.c.get()},
                                        {DNNL_ARG_SCRATCHPAD, product.scratch.get()}};
        check(dnnl_primitive_execute(product.primitive.get(), stream, 4, exec), "a convolution");
    }

    Corner corner_of(int64_t tile) const {
        return {tile / (down_ * across_), tile / across_ % down_ * Tile, tile % across_ * Tile};
    }

    // The address of a pixel, or null beyond the edge.
    T* pixel(const Bases& bases, const View& view, int64_t batch, int64_t y, int64_t x) const {
        if (y < 0 || y >= height_ || x < 0 || x >= width_) return nullptr;
        return reinterpret_cast<T*>(bases.at(view)) + batch * view.strides[0] + y * view.strides[2] +
               x * view.strides[3];
    }

    // Writes a tile's channels to each of the places, which are `stride` apart.
    void enter(const Bases& bases, T* to, int64_t stride, int64_t tile) const {
        const Corner corner = corner_of(tile);
        const T* pixels[kSide][kSide];
        for (int y = 0; y < kSide; ++y)
            for (int x = 0; x < kSide; ++x)
                pixels[y][x] = pixel(bases, args_.src, corner.batch, corner.y + y - 1, corner.x + x - 1);
        for (int64_t c = 0; c < in_; c += kLanes) {
            const int64_t lanes = std::min<int64_t>(kLanes, in_ - c);
            Lanes rows[kSide][kSide];  // [y][x]
            for (int x = 0; x < kSide; ++x) {
                Lanes column[kSide], entered[kSide];
                for (int y = 0; y < kSide; ++y) column[y] = read(pixels[y][x], c, lanes);
                Filtering<Tile>::enter(column, entered);
                for (int y = 0; y < kSide; ++y) rows[y][x] = entered[y];
            }
            for (int y = 0; y < kSide; ++y) {
                Lanes entered[kSide];
                Filtering<Tile>::enter(rows[y], entered);
                for (int x = 0; x < kSide; ++x) write(to + (y * kSide + x) * stride + c, lanes, entered[x]);
            }
        }
    }

    // Writes the pixels of a tile from its products at each of the places.
    void leave(const Bases& bases, const float* from, int64_t stride, int64_t tile) const {
        const Corner corner = corner_of(tile);
        for (int64_t c = 0; c < out_; c += kLanes) {
            const int64_t lanes = std::min<int64_t>(kLanes, out_ - c);
            Lanes rows[Tile][kSide];  // [y][x]
            for (int x = 0; x < kSide; ++x) {
                Lanes column[kSide], left[Tile];
                for (int y = 0; y < kSide; ++y) column[y] = read(from + (y * kSide + x) * stride, c, lanes);
                Filtering<Tile>::leave(column, left);
                for (int y = 0; y < Tile; ++y) rows[y][x] = left[y];
            }
            const Lanes bias = read(bias_.data(), c, lanes);
            for (int y = 0; y < Tile; ++y) {
                Lanes left[Tile];
                Filtering<Tile>::leave(rows[y], left);
                for (int x = 0; x < Tile; ++x) finish(bases, corner, y, x, c, lanes, left[x] + bias);
            }
        }
    }

    // Adds the residual to a pixel's channels, and writes them where they belong.
    void finish(const Bases& bases, const Corner& corner, int y, int x, int64_t c, int64_t lanes, Lanes values) const {
        T* const to = pixel(bases, args_.dst, corner.batch, corner.y + y, corner.x + x);
        if (to == nullptr) return;
        if (args_.residual.present()) {
            values += read(pixel(bases, args_.residual, corner.batch, corner.y + y, corner.x + x), c, lanes);
        }
        write(to + c, lanes, values);
    }

    // Zeros beyond the edge, and beyond the last channel.
    template <typename From>
    static Lanes read(const From* from, int64_t c, int64_t lanes) {
        if (from == nullptr) return Lanes{};
        if (lanes == kLanes) return load_lanes(from + c);
        Lanes values{};
        for (int64_t i = 0; i < lanes; ++i) values[i] = load(from[c + i]);
        return values;
    }

    static void write(T* to, int64_t lanes, Lanes values) {
        if (lanes == kLanes) return store_lanes(to, values);
        for (int64_t i = 0; i < lanes; ++i) store(to[i], values[i]);
    }

    DenseArgs args_;
    int64_t in_, out_, height_, width_, down_, across_, tiles_, band_;
    std::shared_ptr<const Packed> packed_;
    std::vector<float> bias_;
    size_t product_scratch_ = 0;
    Product full_, last_;
};

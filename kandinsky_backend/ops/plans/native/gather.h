// Rows of a table by their numbers: embeddings.

#pragma once

#include "steps.h"

// dst (count, width) = the rows of table (rows, width) that `numbers` (count), int32, name. All without gaps.
class Gather final : public Step {
public:
    Gather(const View& table, const View& numbers, const View& dst) : table_(table), numbers_(numbers), dst_(dst) {}

    std::string describe() const override {
        return "gather " + std::to_string(dst_.dims[0]) + "x" + std::to_string(dst_.dims[1]);
    }

    void run(const Bases& bases, ThreadPool&, dnnl_stream_t) override {
        with_type(dst_.dtype, [&](auto* out) {
            with_type(table_.dtype, [&](auto* in) {
                run_typed<std::remove_pointer_t<decltype(out)>, std::remove_pointer_t<decltype(in)>>(bases);
            });
        });
    }

private:
    template <typename Out, typename In>
    void run_typed(const Bases& bases) const {
        const int32_t* const numbers = reinterpret_cast<const int32_t*>(bases.at(numbers_));
        const int64_t width = dst_.dims[1];
        for (int64_t i = 0; i < dst_.dims[0]; ++i) {
            if (numbers[i] < 0 || numbers[i] >= table_.dims[0]) {
                throw std::runtime_error("row " + std::to_string(numbers[i]) + " is asked for of a table of " +
                                         std::to_string(table_.dims[0]));
            }
            const In* const row = reinterpret_cast<const In*>(bases.at(table_)) + numbers[i] * width;
            Out* const dst = reinterpret_cast<Out*>(bases.at(dst_)) + i * width;
            for (int64_t c = 0; c < width; ++c) store(dst[c], load(row[c]));
        }
    }

    View table_, numbers_, dst_;
};

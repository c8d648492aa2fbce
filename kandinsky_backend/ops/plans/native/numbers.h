// Arithmetic that compilers turn into vector instructions: bfloat16, exp, and the activations.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

// The upper half of a float32.
struct bfloat16 {
    uint16_t bits;
};

inline float bits_to_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint32_t float_to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float load(float value) { return value; }
inline float load(bfloat16 value) { return bits_to_float(static_cast<uint32_t>(value.bits) << 16); }

inline void store(float& place, float value) { place = value; }

// Rounds to the nearest, ties to even; not-a-number stays one.
inline void store(bfloat16& place, float value) {
    const uint32_t bits = float_to_bits(value);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    place.bits = static_cast<uint16_t>(value == value ? rounded : (bits >> 16) | 0x40);
}

// As many values as a vector register has at most. Arithmetic on them is element by element.
constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(4 * kLanes)));
typedef uint32_t WordLanes __attribute__((vector_size(4 * kLanes)));
typedef uint16_t HalfLanes __attribute__((vector_size(2 * kLanes)));

inline Lanes load_lanes(const float* from) {
    Lanes values;
    std::memcpy(&values, from, sizeof values);
    return values;
}

inline Lanes load_lanes(const bfloat16* from) {
    HalfLanes halves;
    std::memcpy(&halves, from, sizeof halves);
    return reinterpret_cast<Lanes>(__builtin_convertvector(halves, WordLanes) << 16);
}

inline void store_lanes(float* to, Lanes values) { std::memcpy(to, &values, sizeof values); }

// Rounds as store does; one instruction does it, which takes numbers below 1.2e-38 for 0.
inline void store_lanes(bfloat16* to, Lanes values) {
#if defined(__AVX512BF16__)
    const __m256bh halves = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(values));
    std::memcpy(to, &halves, sizeof halves);
#else
    for (int i = 0; i < kLanes; ++i) store(to[i], values[i]);
#endif
}

// e to the x within 2 units of the last place, for x of at most 88; 0 below -87.
inline float exp_of(float x) {
    constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves a whole number in the low bits
    const float clamped = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float shifted = clamped * kLog2E + kRound;
    const float n = shifted - kRound;
    const float r = (clamped - n * kLn2High) - n * kLn2Low;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const uint32_t exponent = (float_to_bits(shifted) - float_to_bits(kRound)) << 23;
    const float result = bits_to_float(float_to_bits(p) + exponent);
    return x < -87.0f ? 0.0f : x == x ? result : x;
}

// x * sigmoid(alpha * x): SiLU with an alpha of 1, OpenAI's quick GELU with 1.702.
inline float swish(float x, float alpha) { return x / (1.0f + exp_of(-alpha * x)); }

inline float gelu(float x) { return 0.5f * x * (1.0f + std::erf(x * 0.70710678f)); }

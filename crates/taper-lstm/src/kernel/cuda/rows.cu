// The gradient of an embedding table by rows: `sums[row] = sum of gradient[position]` over the positions that
// looked the row up, in the order of the batch, so that the bits are the same every time. One block a row.
#include "device.cuh"

// starts: [rows + 1], into positions; gradient: [n, width]; sums: [rows, width]
template <class T>
__device__ void sum_rows(uint32_t width, const uint32_t *starts, const uint32_t *positions, const T *gradient,
                         T *sums) {
  const uint32_t from = starts[block()], to = starts[block() + 1];
  for (uint32_t column = thread(); column < width; column += block_threads()) {
    T sum = 0;
    for (uint32_t at = from; at < to; ++at) sum += gradient[static_cast<size_t>(positions[at]) * width + column];
    sums[static_cast<size_t>(block()) * width + column] = sum;
  }
}

extern "C" __global__ void sum_rows_f32(uint32_t width, const uint32_t *starts, const uint32_t *positions,
                                        const float *gradient, float *sums) {
  sum_rows(width, starts, positions, gradient, sums);
}

extern "C" __global__ void sum_rows_f64(uint32_t width, const uint32_t *starts, const uint32_t *positions,
                                        const double *gradient, double *sums) {
  sum_rows(width, starts, positions, gradient, sums);
}

// What forward and backward share: which part of a layer a block has, and how the blocks of a group meet.
//
// A group is one direction of one slice, `ROWS` neighbouring sequences of the batch. Its hidden units are
// split over `cluster` blocks, `units` each (a multiple of 16; what lies beyond `hidden` is masked).
#pragma once
#include "product.cuh"

// As `[u32; 14]` in launch.rs.
struct Sizes {
  unsigned hidden, units, cluster, directions, batch, total, steps;
  // The first group of this launch.
  unsigned first_group;
  // Where direction 0's parameters start in the weight vector, and the distance to direction 1's.
  unsigned weight_hh, bias_ih, bias_hh, weights_per_direction;
  // 0 or 1: whether there are biases; whether activations are kept for the backward pass.
  unsigned bias, keep;
};

// How the blocks of a group exchange what a step needs of its predecessor.
enum Kind {
  // The group is a single block.
  LOCAL,
  // The group is a thread-block cluster: stores into each other's shared memory (sm_90).
  CLUSTER,
  // Through global memory; all blocks of the launch must be resident (a cooperative launch).
  GLOBAL,
};

template <Kind KIND> struct Meeting {
  unsigned *counter;
  unsigned cluster, target = 0;

  __device__ __forceinline__ void arrive() {
    if (KIND == CLUSTER) cluster_arrive();
    if (KIND == GLOBAL) {
      sync_block();
      if (thread() == 0) counter_arrive(counter);
    }
  }
  // Also a barrier of the block.
  __device__ __forceinline__ void wait() {
    if (KIND == CLUSTER) {
      cluster_wait();
      return;
    }
    if (KIND == GLOBAL) {
      target += cluster;
      if (thread() == 0) counter_wait(counter, target);
    }
    sync_block();
  }
};

// The packed rows of one step that belong to a slice.
struct Place {
  int first, alive;
};

template <int ROWS> struct Slice {
  const unsigned *batch_sizes, *offsets;
  int group, rank, direction, row, steps;

  __device__ __forceinline__ Slice(const Sizes &sizes, const unsigned *batch_sizes, const unsigned *offsets)
      : batch_sizes(batch_sizes), offsets(offsets), group(block() / sizes.cluster),
        rank(block() % sizes.cluster) {
    int number = sizes.first_group + group;
    direction = number % sizes.directions;
    row = number / sizes.directions * ROWS;
    // Batch sizes fall: the slice's steps are those at which its first, longest sequence is alive.
    int low = 0, high = sizes.steps;
    while (low < high) {
      int middle = (low + high) / 2;
      if (static_cast<int>(batch_sizes[middle]) > row) low = middle + 1;
      else high = middle;
    }
    steps = low;
  }

  // The place of the `visit`th step, in the order of time or against it.
  __device__ __forceinline__ Place place(int visit, bool in_time) const {
    if (visit >= steps) return Place{0, 0};
    int t = in_time ? visit : steps - 1 - visit;
    int alive = static_cast<int>(batch_sizes[t]) - row;
    return Place{static_cast<int>(offsets[t]) + row, alive < ROWS ? alive : ROWS};
  }
};

// A block's (row, unit) pairs in strips of 16 units, so that neighbouring threads touch neighbouring units.
template <int ROWS> __device__ __forceinline__ int item_row(int item) { return item / 16 % ROWS; }
template <int ROWS> __device__ __forceinline__ int item_unit(int item) {
  return item / (16 * ROWS) * 16 + item % 16;
}
template <int ROWS> __device__ __forceinline__ int item_of(int row, int unit) {
  return unit / 16 * 16 * ROWS + row * 16 + unit % 16;
}

// Parts of the block's shared memory, each a multiple of 16 bytes.
struct Carver {
  char *at;
  template <class T> __device__ __forceinline__ T *take(int count) {
    T *part = reinterpret_cast<T *>(at);
    at += (count * sizeof(T) + 15) / 16 * 16;
    return part;
  }
};

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

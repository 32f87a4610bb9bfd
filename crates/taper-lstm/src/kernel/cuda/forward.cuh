// The forward pass of one layer, a whole sequence in one launch.
//
// A step of a block: (1) the recurrent product with its gate rows, out of shared memory; (2) the gates of its
// own units; (3) h pushed to every block of the group, into the half of `h` that this step does not read, so
// that one barrier a step is enough; (4) while the others arrive, results go to global memory. The input
// projections of the next step are on their way all along.
#pragma once
#include "group.cuh"

struct Forward {
  const unsigned *batch_sizes, *offsets; // [steps]
  const float *projection;               // x W_ih^T of the first direction [total, 4 * hidden]
  const float *projection_reverse;       // and of the second
  const float *weights;                  // the layer's weight vector
  const float *state;                    // h_0, c_0, each [directions, batch, hidden]
  float *output;                         // h_seq [total, directions * hidden], h_n, c_n
  float *gates;                          // kept: i, f, g, o [directions, total, 4 * hidden]
  float *h_previous, *c_previous;        // kept: the states before each step [directions, total, hidden]
  void *exchange;                        // GLOBAL: [groups][2][ROWS][depth + PAD], zeros
  unsigned *counters;                    // GLOBAL: [groups], zeros
};

template <class P, Kind KIND> __device__ void forward_layer(Sizes sizes, Forward io) {
  typedef typename P::Element Element;
  constexpr int ROWS = P::ROWS;
  const int hidden = sizes.hidden, units = sizes.units, items = ROWS * units;
  const int depth = (sizes.cluster * units + P::CHUNK - 1) / P::CHUNK * P::CHUNK, chunks = depth / P::CHUNK;
  const int stride = depth + P::PAD, buffer = ROWS * stride;
  const int tiles = 4 * units / 16, sums_stride = 4 * units + 4;
  const Slice<ROWS> slice(sizes, io.batch_sizes, io.offsets);
  const bool in_time = slice.direction == 0;
  const int first_unit = slice.rank * units;
  const size_t width = static_cast<size_t>(sizes.directions) * hidden;

  Carver carver{shared_memory()};
  Element *packed = carver.take<Element>(4 * units * depth);
  Element *h = carver.take<Element>(2 * buffer);
  float *sums = carver.take<float>(ROWS * sums_stride);
  float *incoming = carver.take<float>(2 * 4 * items);
  float *c = carver.take<float>(items), *c_before = carver.take<float>(items);
  float *shown = carver.take<float>(items), *shown_before = carver.take<float>(items);
  float *bias = carver.take<float>(4 * units);

  const float *parameters = io.weights + static_cast<size_t>(slice.direction) * sizes.weights_per_direction;
  for (int at = thread(); at < 4 * units * depth; at += THREADS) {
    int m = at / depth, k = at % depth, unit = first_unit + m % units;
    float weight = 0.0f;
    if (unit < hidden && k < hidden)
      weight = parameters[sizes.weight_hh + static_cast<size_t>(m / units * hidden + unit) * hidden + k];
    packed[P::packed_index(m, k, chunks)] = P::element(weight);
  }
  for (int m = thread(); m < 4 * units; m += THREADS) {
    int unit = first_unit + m % units, gate_row = m / units * hidden + unit;
    bias[m] = sizes.bias && unit < hidden
                  ? parameters[sizes.bias_ih + gate_row] + parameters[sizes.bias_hh + gate_row]
                  : 0.0f;
  }
  // Both halves: going backward, sequences that have not begun keep their initial state.
  const float *h_0 = io.state + (static_cast<size_t>(slice.direction) * sizes.batch + slice.row) * hidden;
  const float *c_0 = h_0 + static_cast<size_t>(sizes.batch) * width;
  const int rows = sizes.batch - slice.row < ROWS ? sizes.batch - slice.row : ROWS;
  for (int at = thread(); at < buffer; at += THREADS) {
    int row = at / stride, k = at % stride;
    Element value = P::element(row < rows && k < hidden ? h_0[row * hidden + k] : 0.0f);
    h[at] = value;
    h[buffer + at] = value;
  }
  for (int item = thread(); item < items; item += THREADS) {
    int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
    bool real = row < rows && unit < hidden;
    c[item] = real ? c_0[row * hidden + unit] : 0.0f;
    shown[item] = real ? h_0[row * hidden + unit] : 0.0f;
  }

  const float *projection = slice.direction == 0 ? io.projection : io.projection_reverse;
  auto fetch = [&](Place place, int half) {
    for (int item = thread(); item < items; item += THREADS) {
      int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
      if (row >= place.alive || unit >= hidden) continue;
      const float *from = projection + static_cast<size_t>(place.first + row) * 4 * hidden + unit;
#pragma unroll
      for (int gate = 0; gate < 4; ++gate)
        copy_async(incoming + (half * 4 + gate) * items + item, from + gate * hidden);
    }
    copy_commit();
  };

  Element *posted = static_cast<Element *>(io.exchange) + static_cast<size_t>(slice.group) * 2 * buffer;
  Meeting<KIND> meeting{io.counters + slice.group, sizes.cluster};
  Place now = slice.place(0, in_time), next = slice.place(1, in_time);
  fetch(now, 0);
  meeting.arrive();
  meeting.wait();

  for (int step = 0; step < slice.steps; ++step) {
    const int half = step % 2;
    fetch(next, 1 - half);
    const Place after = slice.place(step + 2, in_time);
    P::product(packed, h + half * buffer, stride, tiles, chunks,
               [&](int row, int tile, int m, float sum) { sums[row * sums_stride + tile * 16 + m] = sum; });
    sync_block();
    copy_wait<1>();

    for (int item = thread(); item < items; item += THREADS) {
      const int row = item_row<ROWS>(item), u = item_unit<ROWS>(item), unit = first_unit + u;
      if (row >= now.alive || unit >= hidden) continue;
      float *gate = incoming + half * 4 * items + item;
      const float *sum = sums + row * sums_stride + u;
      float i = sigmoid(gate[0] + sum[0] + bias[u]);
      float f = sigmoid(gate[items] + sum[units] + bias[units + u]);
      float g = tanhf(gate[2 * items] + sum[2 * units] + bias[2 * units + u]);
      float o = sigmoid(gate[3 * items] + sum[3 * units] + bias[3 * units + u]);
      float memory = fmaf(f, c[item], i * g), value = o * tanhf(memory);
      const int to = (1 - half) * buffer + row * stride + unit;
      const Element element = P::element(value);
      if (KIND == LOCAL) h[to] = element;
      if (KIND == CLUSTER)
        for (unsigned rank = 0; rank < sizes.cluster; ++rank) store_remote(h + to, rank, element);
      if (KIND == GLOBAL) posted[to] = element;
      gate[0] = i, gate[items] = f, gate[2 * items] = g, gate[3 * items] = o;
      c_before[item] = c[item], c[item] = memory;
      shown_before[item] = shown[item], shown[item] = value;
    }
    meeting.arrive();

    // From here on the others may already push the step after next: `h` is theirs, all else this block's own.
    for (int item = thread(); item < items; item += THREADS) {
      const int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
      if (row >= now.alive || unit >= hidden) continue;
      const size_t at = static_cast<size_t>(now.first + row);
      io.output[at * width + slice.direction * hidden + unit] = shown[item];
      if (sizes.keep) {
        const size_t kept = static_cast<size_t>(slice.direction) * sizes.total + at;
        for (int gate = 0; gate < 4; ++gate)
          io.gates[(kept * 4 + gate) * hidden + unit] = incoming[(half * 4 + gate) * items + item];
        io.h_previous[kept * hidden + unit] = shown_before[item];
        io.c_previous[kept * hidden + unit] = c_before[item];
      }
      // Its last step: the sequence's end going forward, its start going backward.
      if (row >= next.alive) {
        const size_t sequence = static_cast<size_t>(slice.direction) * sizes.batch + slice.row + row;
        float *h_n = io.output + static_cast<size_t>(sizes.total) * width;
        h_n[sequence * hidden + unit] = shown[item];
        h_n[(static_cast<size_t>(sizes.directions) * sizes.batch + sequence) * hidden + unit] = c[item];
      }
    }
    meeting.wait();
    if (KIND == GLOBAL) {
      constexpr int PER = 16 / sizeof(Element);
      const int vectors = sizes.cluster * units / PER;
      for (int at = thread(); at < now.alive * vectors; at += THREADS) {
        int to = (1 - half) * buffer + at / vectors * stride + at % vectors * PER;
        *reinterpret_cast<uint4 *>(h + to) = load_fresh(reinterpret_cast<const uint4 *>(posted + to));
      }
      sync_block();
    }
    now = next, next = after;
  }
  copy_wait<0>();
}

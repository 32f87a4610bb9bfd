// The backward pass through one layer's steps, a whole sequence in one launch: from the gradient of the output
// to those of the gates before their nonlinearities, and of the initial states. What follows from these for x
// and the weights are large products, made outside.
//
// A block has the gates of its own units, as in the forward pass. Its share of the gradient of the step before,
// `dgates * its rows of W_hh`, goes in parts to the blocks that own the units, which sum what came from all
// blocks in the order of the blocks: the same bits every time.
#pragma once
#include "group.cuh"

struct Backward {
  const unsigned *batch_sizes, *offsets;       // [steps]
  const float *weights;                        // the layer's weight vector
  const float *gates;                          // i, f, g, o [directions, total, 4 * hidden]
  const float *c_previous;                     // [directions, total, hidden]
  const float *grad;                           // of the output: h_seq [total, directions * hidden], h_n, c_n
  float *dgates;                               // [directions, total, 4 * hidden]
  float *dstate;                               // of h_0, c_0, each [directions, batch, hidden]
  float *exchange;                             // GLOBAL: [groups][2][to cluster][from cluster][items]
  unsigned *counters;                          // GLOBAL: [groups], zeros
};

template <class P, Kind KIND> __device__ void backward_layer(Sizes sizes, Backward io) {
  typedef typename P::Element Element;
  constexpr int ROWS = P::ROWS;
  // Of a step: i, f, g, o (then their gradients), the memory before it, the gradient of its output.
  constexpr int LOADS = 6;
  const int hidden = sizes.hidden, units = sizes.units, items = ROWS * units, cluster = sizes.cluster;
  const int depth = 4 * units, chunks = depth / P::CHUNK, stride = depth + P::PAD;
  const int tiles = cluster * units / 16;
  const Slice<ROWS> slice(sizes, io.batch_sizes, io.offsets);
  const bool in_time = slice.direction == 1;
  const int first_unit = slice.rank * units;
  const size_t width = static_cast<size_t>(sizes.directions) * hidden;

  Carver carver{shared_memory()};
  Element *packed = carver.take<Element>(cluster * units * depth);
  Element *before = carver.take<Element>(ROWS * stride);
  float *loads = carver.take<float>(2 * LOADS * items);
  float *dh = carver.take<float>(items), *dc = carver.take<float>(items);
  float *inbox = carver.take<float>(KIND == GLOBAL ? 0 : 2 * cluster * items);
  if (KIND == GLOBAL) inbox = io.exchange + static_cast<size_t>(slice.group) * 2 * cluster * cluster * items;

  const float *weight_hh = io.weights + static_cast<size_t>(slice.direction) * sizes.weights_per_direction + sizes.weight_hh;
  for (int at = thread(); at < cluster * units * depth; at += THREADS) {
    int m = at % (cluster * units), k = at / (cluster * units), unit = first_unit + k % units;
    float weight = 0.0f;
    if (unit < hidden && m < hidden)
      weight = weight_hh[static_cast<size_t>(k / units * hidden + unit) * hidden + m];
    packed[P::packed_index(m, k, chunks)] = P::element(weight);
  }
  // Sequences that have not begun, going against the direction, keep the gradient of their final state.
  const size_t states = static_cast<size_t>(sizes.batch) * width;
  const size_t sequences = (static_cast<size_t>(slice.direction) * sizes.batch + slice.row) * hidden;
  const float *dh_n = io.grad + static_cast<size_t>(sizes.total) * width + sequences;
  const int rows = sizes.batch - slice.row < ROWS ? sizes.batch - slice.row : ROWS;
  for (int item = thread(); item < items; item += THREADS) {
    int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
    bool real = row < rows && unit < hidden;
    dh[item] = real ? dh_n[row * hidden + unit] : 0.0f;
    dc[item] = real ? dh_n[states + row * hidden + unit] : 0.0f;
  }

  auto fetch = [&](Place place, int half) {
    for (int item = thread(); item < items; item += THREADS) {
      int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
      if (row >= place.alive || unit >= hidden) continue;
      const size_t at = static_cast<size_t>(place.first + row);
      const size_t kept = static_cast<size_t>(slice.direction) * sizes.total + at;
      float *to = loads + half * LOADS * items + item;
#pragma unroll
      for (int gate = 0; gate < 4; ++gate)
        copy_async(to + gate * items, io.gates + (kept * 4 + gate) * hidden + unit);
      copy_async(to + 4 * items, io.c_previous + kept * hidden + unit);
      copy_async(to + 5 * items, io.grad + at * width + slice.direction * hidden + unit);
    }
    copy_commit();
  };
  // The gradient that reached the states before a step, from all the blocks.
  auto received = [&](int item, int half) {
    float sum = 0.0f;
    for (int from = 0; from < cluster; ++from) {
      if (KIND == GLOBAL)
        sum += load_fresh(inbox + (static_cast<size_t>(half * cluster + slice.rank) * cluster + from) * items + item);
      else
        sum += inbox[(half * cluster + from) * items + item];
    }
    return sum;
  };

  Meeting<KIND> meeting{io.counters + slice.group, sizes.cluster};
  Place last{0, 0}, now = slice.place(0, in_time), next = slice.place(1, in_time);
  fetch(now, 0);
  meeting.arrive();
  meeting.wait();

  for (int step = 0; step < slice.steps; ++step) {
    const int half = step % 2;
    fetch(next, 1 - half);
    const Place after = slice.place(step + 2, in_time);
    copy_wait<1>();

    for (int item = thread(); item < items; item += THREADS) {
      const int row = item_row<ROWS>(item), u = item_unit<ROWS>(item);
      Element *to = before + row * stride + u;
      if (row < last.alive) dh[item] = received(item, 1 - half);
      if (row >= now.alive || first_unit + u >= hidden) {
        for (int gate = 0; gate < 4; ++gate) to[gate * units] = P::element(0.0f);
        continue;
      }
      float *load = loads + half * LOADS * items + item;
      const float i = load[0], f = load[items], g = load[2 * items], o = load[3 * items];
      const float c_previous = load[4 * items], tanh_c = tanhf(fmaf(f, c_previous, i * g));
      const float dh_here = load[5 * items] + dh[item];
      const float dc_here = dc[item] + dh_here * o * (1.0f - tanh_c * tanh_c);
      dc[item] = dc_here * f;
      const float gradients[4] = {
          dc_here * g * i * (1.0f - i),
          dc_here * c_previous * f * (1.0f - f),
          dc_here * i * (1.0f - g * g),
          dh_here * tanh_c * o * (1.0f - o),
      };
#pragma unroll
      for (int gate = 0; gate < 4; ++gate) {
        load[gate * items] = gradients[gate];
        to[gate * units] = P::element(gradients[gate]);
      }
    }
    sync_block();
    P::product(packed, before, stride, tiles, chunks, [&](int row, int tile, int m, float sum) {
      const unsigned owner = tile / (units / 16);
      const int item = item_of<ROWS>(row, tile % (units / 16) * 16 + m);
      if (KIND == GLOBAL)
        inbox[(static_cast<size_t>(half * cluster + owner) * cluster + slice.rank) * items + item] = sum;
      float *to = inbox + (half * cluster + slice.rank) * items + item;
      if (KIND == LOCAL) *to = sum;
      if (KIND == CLUSTER) store_remote(to, owner, sum);
    });
    meeting.arrive();

    for (int item = thread(); item < items; item += THREADS) {
      const int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
      if (row >= now.alive || unit >= hidden) continue;
      const size_t at = static_cast<size_t>(slice.direction) * sizes.total + now.first + row;
      for (int gate = 0; gate < 4; ++gate)
        io.dgates[(at * 4 + gate) * hidden + unit] = loads[(half * LOADS + gate) * items + item];
    }
    meeting.wait();
    last = now, now = next, next = after;
  }

  for (int item = thread(); item < items; item += THREADS) {
    const int row = item_row<ROWS>(item), unit = first_unit + item_unit<ROWS>(item);
    if (row >= rows || unit >= hidden) continue;
    if (row < last.alive) dh[item] = received(item, (slice.steps - 1) % 2);
    io.dstate[sequences + row * hidden + unit] = dh[item];
    io.dstate[states + sequences + row * hidden + unit] = dc[item];
  }
  copy_wait<0>();
}

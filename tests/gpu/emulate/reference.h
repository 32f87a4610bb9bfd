// The LSTM layer in double precision, as plain loops over PyTorch's equations: what the kernels are held against.
#pragma once
#include <cmath>
#include <functional>
#include <vector>

struct Layer {
  int hidden, directions, input;
  bool bias;
  std::vector<int> lengths; // falling
  int batch, total, steps;
  std::vector<unsigned> batch_sizes, offsets;

  Layer(int hidden, int directions, bool bias, std::vector<int> sorted)
      : hidden(hidden), directions(directions), input(3), bias(bias), lengths(sorted),
        batch(lengths.size()), total(0), steps(lengths[0]) {
    for (int t = 0; t < steps; ++t) {
      unsigned alive = 0;
      for (int length : lengths) alive += length > t;
      batch_sizes.push_back(alive), offsets.push_back(total);
      total += alive;
    }
  }
  int weight_hh() const { return 4 * hidden * input; }
  int bias_ih() const { return weight_hh() + 4 * hidden * hidden; }
  int bias_hh() const { return bias_ih() + (bias ? 4 * hidden : 0); }
  int per_direction() const { return bias_hh() + (bias ? 4 * hidden : 0); }
  int sequence_len() const { return total * directions * hidden; }
  int state_len() const { return 2 * directions * batch * hidden; }
};

// How operands of the recurrent product are rounded.
typedef std::function<double(double)> Round;

struct Expected {
  std::vector<double> output, gates, h_previous, c_previous, dgates, dstate;
};

inline double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// `shown` and `dgates`, where given, are what the kernel found: the recurrent products then take those, so that
// a rounding that falls the other way in one step is not taken for an error in all later ones.
template <class T>
Expected reference(const Layer &layer, const std::vector<T> projection[2], const std::vector<T> &weights,
                   const std::vector<T> &state, const std::vector<T> &grad, Round round,
                   const std::vector<T> *shown, const std::vector<T> *found_dgates) {
  const int H = layer.hidden, D = layer.directions, B = layer.batch, N = layer.total;
  Expected e;
  e.output.resize(layer.sequence_len() + layer.state_len());
  e.gates.resize(D * N * 4 * H), e.dgates.resize(D * N * 4 * H);
  e.h_previous.resize(D * N * H), e.c_previous.resize(D * N * H);
  e.dstate.resize(layer.state_len());
  for (int d = 0; d < D; ++d) {
    const T *w = &weights[d * layer.per_direction()];
    auto weight = [&](int gate_row, int k) { return round(w[layer.weight_hh() + gate_row * H + k]); };
    for (int b = 0; b < B; ++b) {
      std::vector<double> h(H), c(H), operand(H);
      for (int u = 0; u < H; ++u) {
        operand[u] = h[u] = state[(d * B + b) * H + u];
        c[u] = state[(D * B + d * B + b) * H + u];
      }
      const int length = layer.lengths[b];
      auto row_at = [&](int visit) { return layer.offsets[d == 0 ? visit : length - 1 - visit] + b; };
      for (int visit = 0; visit < length; ++visit) {
        const int row = row_at(visit);
        const size_t kept = size_t(d) * N + row;
        std::vector<double> pre(4 * H);
        for (int g = 0; g < 4 * H; ++g) {
          pre[g] = projection[d][row * 4 * H + g];
          if (layer.bias) pre[g] += double(w[layer.bias_ih() + g]) + w[layer.bias_hh() + g];
          for (int k = 0; k < H; ++k) pre[g] += weight(g, k) * round(operand[k]);
        }
        for (int u = 0; u < H; ++u) {
          double i = logistic(pre[u]), f = logistic(pre[H + u]), g = std::tanh(pre[2 * H + u]),
                 o = logistic(pre[3 * H + u]);
          e.h_previous[kept * H + u] = h[u], e.c_previous[kept * H + u] = c[u];
          e.gates[kept * 4 * H + u] = i, e.gates[kept * 4 * H + H + u] = f;
          e.gates[kept * 4 * H + 2 * H + u] = g, e.gates[kept * 4 * H + 3 * H + u] = o;
          c[u] = f * c[u] + i * g;
          h[u] = o * std::tanh(c[u]);
          const int at = row * D * H + d * H + u;
          e.output[at] = h[u];
          operand[u] = shown ? double((*shown)[at]) : h[u];
        }
      }
      for (int u = 0; u < H; ++u) {
        e.output[layer.sequence_len() + (d * B + b) * H + u] = h[u];
        e.output[layer.sequence_len() + (D * B + d * B + b) * H + u] = c[u];
      }
      std::vector<double> dh(H), dc(H);
      for (int u = 0; u < H; ++u) {
        dh[u] = grad[layer.sequence_len() + (d * B + b) * H + u];
        dc[u] = grad[layer.sequence_len() + (D * B + d * B + b) * H + u];
      }
      for (int visit = length - 1; visit >= 0; --visit) {
        const int row = row_at(visit);
        const size_t kept = size_t(d) * N + row;
        const double *gate = &e.gates[kept * 4 * H];
        double *dgate = &e.dgates[kept * 4 * H];
        for (int u = 0; u < H; ++u) {
          double i = gate[u], f = gate[H + u], g = gate[2 * H + u], o = gate[3 * H + u];
          double c_previous = e.c_previous[kept * H + u], tanh_c = std::tanh(f * c_previous + i * g);
          double dh_here = dh[u] + grad[row * D * H + d * H + u];
          double dc_here = dc[u] + dh_here * o * (1 - tanh_c * tanh_c);
          dgate[u] = dc_here * g * i * (1 - i);
          dgate[H + u] = dc_here * c_previous * f * (1 - f);
          dgate[2 * H + u] = dc_here * i * (1 - g * g);
          dgate[3 * H + u] = dh_here * tanh_c * o * (1 - o);
          dc[u] = dc_here * f;
        }
        for (int k = 0; k < H; ++k) {
          dh[k] = 0;
          for (int g = 0; g < 4 * H; ++g)
            dh[k] += weight(g, k) * round(found_dgates ? double((*found_dgates)[kept * 4 * H + g]) : dgate[g]);
        }
      }
      for (int u = 0; u < H; ++u) {
        e.dstate[(d * B + b) * H + u] = dh[u];
        e.dstate[(D * B + d * B + b) * H + u] = dc[u];
      }
    }
  }
  return e;
}

// Runs the persistent LSTM kernels on the emulated device and holds them against the reference.
#include <algorithm>

#include "lstm.cu"

#include "check.h"
#include "reference.h"

namespace {

std::mt19937 numbers(7);
std::vector<float> draw(size_t count, float scale) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::vector<float> values(count);
  for (float &value : values) value = uniform(numbers);
  return values;
}

int rounded(int value, int to) { return (value + to - 1) / to * to; }

// The shared memory that plan.rs asks for.
struct Format {
  int rows, element, chunk, pad;
};
constexpr Format F32X4{4, 4, 32, 0}, F32X8{8, 4, 32, 0}, BF16X8{8, 2, 16, 8};

int forward_bytes(Format format, int units, int cluster) {
  int depth = rounded(cluster * units, format.chunk), items = format.rows * units;
  return 4 * units * depth * format.element + 2 * format.rows * (depth + format.pad) * format.element +
         4 * format.rows * (4 * units + 4) + 4 * 12 * items + 4 * 4 * units;
}
int backward_bytes(Format format, int units, int cluster, bool global) {
  int depth = 4 * units, items = format.rows * units;
  return cluster * units * depth * format.element + format.rows * (depth + format.pad) * format.element +
         4 * 14 * items + (global ? 0 : 4 * 2 * cluster * items);
}

typedef void (*ForwardKernel)(Sizes, const unsigned *, const unsigned *, const float *, const float *, const float *,
                              const float *, float *, float *, float *, float *, void *, unsigned *);
typedef void (*BackwardKernel)(Sizes, const unsigned *, const unsigned *, const float *, const float *, const float *,
                               const float *, float *, float *, float *, unsigned *);

struct Variant {
  const char *name;
  Format format;
  int cluster; // 0: any, through global memory
  ForwardKernel forward;
  BackwardKernel backward;
};

#define VARIANT(NAME, FORMAT, SUFFIX, CLUSTER) \
  Variant { #NAME "_" #SUFFIX, FORMAT, CLUSTER, lstm_forward_##NAME##_##SUFFIX, lstm_backward_##NAME##_##SUFFIX }
#define VARIANTS(NAME, FORMAT)                                                                            \
  VARIANT(NAME, FORMAT, local, 1), VARIANT(NAME, FORMAT, cluster2, 2), VARIANT(NAME, FORMAT, cluster4, 4), \
      VARIANT(NAME, FORMAT, cluster8, 8), VARIANT(NAME, FORMAT, global, 0)
const Variant ALL_VARIANTS[] = {VARIANTS(f32x4, F32X4), VARIANTS(f32x8, F32X8), VARIANTS(bf16x8, BF16X8)};

struct Inputs {
  std::vector<float> projection[2], weights, state, grad;
  explicit Inputs(const Layer &layer) {
    float scale = 1.0f / std::sqrt(layer.hidden);
    for (auto &values : projection) values = draw(layer.total * 4 * layer.hidden, 1.0f);
    weights = draw(layer.directions * layer.per_direction(), scale);
    state = draw(layer.state_len(), 1.0f);
    grad = draw(layer.sequence_len() + layer.state_len(), 1.0f);
  }
};

struct Found {
  std::vector<float> output, gates, h_previous, c_previous, dgates, dstate;
  bool finished = true;
};

Found run(const Variant &variant, const Layer &layer, const Inputs &in, int cluster, unsigned seed, bool keep) {
  const int units = rounded((layer.hidden + cluster - 1) / cluster, 16), H = layer.hidden;
  const bool global = variant.cluster == 0;
  const Format format = variant.format;
  const int groups = (layer.batch + format.rows - 1) / format.rows * layer.directions;
  const size_t kept = keep ? size_t(layer.directions) * layer.total : 0;
  Found found;
  found.output.assign(layer.sequence_len() + layer.state_len(), NAN);
  found.gates.assign(kept * 4 * H, NAN), found.dgates.assign(kept * 4 * H, NAN);
  found.h_previous.assign(kept * H, NAN), found.c_previous.assign(kept * H, NAN);
  found.dstate.assign(keep ? layer.state_len() : 0, NAN);
  Sizes sizes{unsigned(H), unsigned(units), unsigned(cluster), unsigned(layer.directions), unsigned(layer.batch),
              unsigned(layer.total), unsigned(layer.steps), 0, unsigned(layer.weight_hh()),
              unsigned(layer.bias_ih()), unsigned(layer.bias_hh()), unsigned(layer.per_direction()),
              layer.bias, keep};
  const int depth = rounded(cluster * units, format.chunk);
  const int posted_bytes = 2 * format.rows * (depth + format.pad) * format.element;
  // Through global memory, a launch takes two groups, as if no more were resident.
  const int per_launch = global ? 2 : groups;
  for (int first = 0; first < groups; first += per_launch) {
    const int now = std::min(per_launch, groups - first);
    sizes.first_group = first;
    std::vector<unsigned> counters(now, 0);
    std::vector<uint4> posted(global ? size_t(now) * posted_bytes / 16 : 1, uint4{0, 0, 0, 0});
    found.finished &= emulated::launch(
        now * cluster, THREADS, forward_bytes(format, units, cluster), global ? 1 : cluster, seed, [&] {
          variant.forward(sizes, layer.batch_sizes.data(), layer.offsets.data(), in.projection[0].data(),
                          in.projection[1].data(), in.weights.data(), in.state.data(), found.output.data(),
                          found.gates.data(), found.h_previous.data(), found.c_previous.data(), posted.data(),
                          counters.data());
        });
  }
  if (!keep) return found;
  for (int first = 0; first < groups; first += per_launch) {
    const int now = std::min(per_launch, groups - first);
    sizes.first_group = first;
    std::vector<unsigned> counters(now, 0);
    std::vector<float> posted(global ? size_t(now) * 2 * cluster * cluster * format.rows * units : 1, 0.0f);
    found.finished &= emulated::launch(
        now * cluster, THREADS, backward_bytes(format, units, cluster, global), global ? 1 : cluster, seed, [&] {
          variant.backward(sizes, layer.batch_sizes.data(), layer.offsets.data(), in.weights.data(),
                           found.gates.data(), found.c_previous.data(), in.grad.data(), found.dgates.data(),
                           found.dstate.data(), posted.data(), counters.data());
        });
  }
  return found;
}

double identity(double x) { return x; }
double through_bf16(double x) { return emulated::from_bf16(to_bf16(static_cast<float>(x))); }

void compare(const Found &found, const Expected &expected, double bound, const std::string &name) {
  expect_error(error(found.output, expected.output), bound, name + " output");
  expect_error(error(found.gates, expected.gates), bound, name + " gates");
  expect_error(error(found.h_previous, expected.h_previous), bound, name + " h_previous");
  expect_error(error(found.c_previous, expected.c_previous), bound, name + " c_previous");
  expect_error(error(found.dgates, expected.dgates), bound, name + " dgates");
  expect_error(error(found.dstate, expected.dstate), bound, name + " dstate");
}

void check(const Variant &variant, const Layer &layer, int cluster, bool twice, const std::string &name) {
  const Inputs in(layer);
  const Found found = run(variant, layer, in, cluster, 2 * numbers() + twice, true);
  if (!expect(found.finished, name + " deadlock")) return;
  const bool half = variant.format.element == 2;
  compare(found,
          reference(layer, in.projection, in.weights, in.state, in.grad, half ? through_bf16 : identity,
                    half ? &found.output : nullptr, half ? &found.dgates : nullptr),
          1e-5, name);
  if (!twice) return;
  // Another order of the threads and late copies: the same bits. Nothing kept: the same output.
  const Found again = run(variant, layer, in, cluster, 2, true);
  expect(again.finished && again.output == found.output && again.dgates == found.dgates &&
             again.dstate == found.dstate && again.gates == found.gates,
         name + " differs when its threads run in another order");
  const Found evaluated = run(variant, layer, in, cluster, 4, false);
  expect(evaluated.finished && evaluated.output == found.output, name + " differs when nothing is kept");
}

std::vector<int> draw_lengths(int batch, int longest) {
  std::vector<int> lengths{longest};
  while (int(lengths.size()) < batch) lengths.push_back(1 + numbers() % longest);
  std::sort(lengths.rbegin(), lengths.rend());
  return lengths;
}

// The reference's own gradients against differences of its outputs.
void check_reference() {
  const Layer layer(4, 2, true, {5, 3, 1});
  const Inputs in(layer);
  std::vector<double> projection[2], state(in.state.begin(), in.state.end());
  for (int d = 0; d < 2; ++d) projection[d].assign(in.projection[d].begin(), in.projection[d].end());
  std::vector<double> weights(in.weights.begin(), in.weights.end()), grad(in.grad.begin(), in.grad.end());
  auto outcome = [&] {
    Expected e = reference<double>(layer, projection, weights, state, grad, identity, nullptr, nullptr);
    double sum = 0;
    for (size_t i = 0; i < grad.size(); ++i) sum += grad[i] * e.output[i];
    return sum;
  };
  const Expected e = reference<double>(layer, projection, weights, state, grad, identity, nullptr, nullptr);
  auto differences = [&](std::vector<double> &values) {
    std::vector<double> result;
    for (double &value : values) {
      const double kept = value;
      value = kept + 1e-5;
      const double above = outcome();
      value = kept - 1e-5;
      result.push_back((above - outcome()) / 2e-5);
      value = kept;
    }
    return result;
  };
  std::vector<double> dgates = differences(projection[0]);
  const std::vector<double> reverse = differences(projection[1]);
  dgates.insert(dgates.end(), reverse.begin(), reverse.end());
  expect_error(error(dgates, e.dgates), 1e-7, "dgates by differences");
  expect_error(error(differences(state), e.dstate), 1e-7, "dstate by differences");
  summary("the reference's gradients, by differences");
}

} // namespace

// usage: lstm [PART OF A VARIANT'S NAME]
int main(int count, char **arguments) {
  const std::string only = count > 1 ? arguments[1] : "";
  // As in plan.rs, which asks for the same.
  expect(forward_bytes(F32X8, 32, 8) == 164480 && forward_bytes(BF16X8, 32, 8) == 91008 &&
             forward_bytes(F32X4, 32, 8) == 148032 && forward_bytes(F32X8, 48, 1) == 78720 &&
             backward_bytes(F32X8, 32, 8, false) == 165888 && backward_bytes(F32X8, 32, 8, true) == 149504 &&
             backward_bytes(BF16X8, 32, 8, false) == 98432 && backward_bytes(F32X4, 32, 8, false) == 148480,
         "shared memory of H = 256");
  summary("shared memory as plan.rs has it");
  check_reference();
  for (const Variant &variant : ALL_VARIANTS) {
    if (std::string(variant.name).find(only) == std::string::npos) continue;
    for (int hidden : {1, 5, 16, 33, 50}) {
      for (int batch : {1, 3, 9, 11}) {
        const int directions = (hidden + batch) % 4 == 0 ? 1 : 2;
        const int longest = batch == 1 ? 1 + hidden % 12 : 12 - hidden % 5;
        const Layer layer(hidden, directions, (hidden + batch) % 3 != 0, draw_lengths(batch, longest));
        const int cluster = variant.cluster ? variant.cluster : 1 + (hidden + 15) / 16;
        check(variant, layer, cluster, batch == 3 || hidden == 33,
              std::string(variant.name) + " H " + std::to_string(hidden) + " B " + std::to_string(batch));
      }
    }
    // More units a block than a strip; more tiles than warps.
    const Layer wide(variant.cluster == 8 ? 130 : 70, 2, true, draw_lengths(5, 4));
    check(variant, wide, variant.cluster ? variant.cluster : 2, true, std::string(variant.name) + " wide");
    summary(variant.name);
  }
  printf("%d checks, %d failed\n", passes + failures, failures);
  return failures != 0;
}

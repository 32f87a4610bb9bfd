// Runs the kernels for dropout, embedding gradients and Adam on the emulated device; their results must have the
// very bits of the CPU's code, which is written out here once more.
#include "adam.cu"
#include "dropout.cu"
#include "rows.cu"

#include "check.h"

namespace {

std::mt19937 numbers(11);
std::vector<float> draw(size_t count, float scale) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::vector<float> values(count);
  for (float &value : values) value = uniform(numbers);
  return values;
}

void run(uint64_t count, unsigned threads, const std::function<void()> &body) {
  const unsigned blocks = static_cast<unsigned>((count + threads - 1) / threads);
  expect(emulated::launch(blocks, threads, 0, 1, numbers(), body), "deadlock");
}

// Random123's known answers, as in random.rs.
void known_answers() {
  uint32_t zeros[4] = {0, 0, 0, 0};
  philox(zeros, 0, 0);
  const uint32_t expected_zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  expect(std::equal(zeros, zeros + 4, expected_zeros), "philox of zeros");
  uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
  philox(pi, 0xa4093822, 0x299f31d0);
  const uint32_t expected_pi[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  expect(std::equal(pi, pi + 4, expected_pi), "philox of pi");
  summary("Philox's known answers");
}

void check_dropout() {
  const uint64_t seed = 0x123456789abcdef0;
  const uint32_t stream = 0x1001, step = 7;
  for (uint64_t count : {1, 3, 4, 5, 127, 1003}) {
    for (double p : {0.0, 0.3, 0.999}) {
      const uint32_t threshold = static_cast<uint32_t>(p * 4294967296.0);
      const float scale = static_cast<float>(1.0 / (1.0 - p));
      const std::vector<float> x = draw(count, 1.0f);
      const std::vector<double> wide(x.begin(), x.end());
      std::vector<float> y(count, NAN);
      std::vector<double> z(count, NAN);
      run((count + 3) / 4, 32, [&] { dropout_f32(count, seed, stream, step, threshold, scale, x.data(), y.data()); });
      run((count + 3) / 4, 32, [&] { dropout_f64(count, seed, stream, step, threshold, scale, wide.data(), z.data()); });
      bool same = true;
      for (uint64_t i = 0; i < count; ++i) {
        uint32_t words[4] = {uint32_t(i / 4), uint32_t(i / 4 >> 32), stream, step};
        philox(words, uint32_t(seed), uint32_t(seed >> 32));
        const bool dropped = words[i % 4] < threshold;
        same &= y[i] == (dropped ? 0.0f : x[i] * scale) && z[i] == (dropped ? 0.0 : wide[i] * scale);
      }
      expect(same, "dropout of " + std::to_string(count));
    }
  }
  summary("dropout");
}

void check_rows() {
  for (int width : {1, 5, 64, 100}) {
    const int n = 300, table = 40;
    std::vector<std::vector<uint32_t>> positions_of(table);
    for (int position = 0; position < n; ++position) positions_of[numbers() % table].push_back(position);
    std::vector<uint32_t> starts{0}, positions;
    for (auto &row : positions_of) {
      if (row.empty()) continue;
      positions.insert(positions.end(), row.begin(), row.end());
      starts.push_back(positions.size());
    }
    const unsigned rows = starts.size() - 1;
    const std::vector<float> gradient = draw(n * width, 1.0f);
    const std::vector<double> wide(gradient.begin(), gradient.end());
    std::vector<float> sums(rows * width, NAN), expected(rows * width, 0.0f);
    std::vector<double> wide_sums(rows * width, NAN), wide_expected(rows * width, 0.0);
    run(rows * 32, 32, [&] { sum_rows_f32(width, starts.data(), positions.data(), gradient.data(), sums.data()); });
    run(rows * 32, 32, [&] { sum_rows_f64(width, starts.data(), positions.data(), wide.data(), wide_sums.data()); });
    for (unsigned row = 0; row < rows; ++row)
      for (uint32_t at = starts[row]; at < starts[row + 1]; ++at)
        for (int column = 0; column < width; ++column) {
          expected[row * width + column] += gradient[positions[at] * width + column];
          wide_expected[row * width + column] += wide[positions[at] * width + column];
        }
    expect(sums == expected && wide_sums == wide_expected, "rows of width " + std::to_string(width));
  }
  summary("gradients by rows");
}

// taper-train's optimizer/inplace.rs: `Decay` or `Scatter`, then `Update`.
void adam_on_cpu(int width, Settings by, const std::vector<int32_t> &slots, const std::vector<float> &gradient,
                 std::vector<float> &parameter, std::vector<float> &first, std::vector<float> &second) {
  auto flushed = [](float x) { return std::fabs(x) < 1e-30f ? 0.0f : x; };
  for (size_t i = 0; i < parameter.size(); ++i) {
    if (width == 0) {
      first[i] = flushed(by.beta1 * first[i] + by.rest1 * gradient[i]);
      second[i] = flushed(by.beta2 * second[i] + by.rest2 * (gradient[i] * gradient[i]));
    } else {
      first[i] = flushed(by.beta1 * first[i]), second[i] = flushed(by.beta2 * second[i]);
      const int32_t slot = slots[i / width];
      if (slot >= 0) {
        const float g = gradient[slot * width + i % width];
        first[i] += by.rest1 * g, second[i] += by.rest2 * (g * g);
      }
    }
  }
  for (size_t i = 0; i < parameter.size(); ++i)
    parameter[i] = by.shrink * parameter[i] -
                   by.step_size * first[i] / (by.denominator_scale * std::sqrt(second[i]) + by.epsilon);
}

void check_adam() {
  const int rows = 21, columns = 9, count = rows * columns;
  const Settings by{0.9f, float(1 - 0.9), 0.999f, float(1 - 0.999), 1e-2f, 3.1f, 1e-8f, 0.999f};
  for (int width : {0, columns}) {
    std::vector<int32_t> slots(rows, -1);
    int used = 0;
    for (int row = 0; row < rows; row += 2) slots[row] = used++;
    std::vector<float> parameter = draw(count, 1.0f), first = draw(count, 0.1f), second = draw(count, 0.1f);
    for (float &v : second) v = std::fabs(v);
    // Moments about to become denormal.
    first[10] = 1.05e-30f, second[11] = 1e-30f, first[12] = -1.1e-30f;
    std::vector<float> expected[3] = {parameter, first, second};
    for (int step = 0; step < 3; ++step) {
      const std::vector<float> gradient = draw(width == 0 ? count : used * columns, 1e-3f);
      adam_on_cpu(width, by, slots, gradient, expected[0], expected[1], expected[2]);
      run(count, 64, [&] {
        adam(count, width, by, slots.data(), gradient.data(), parameter.data(), first.data(), second.data());
      });
    }
    expect(parameter == expected[0], "Adam's parameters");
    expect(first == expected[1] && second == expected[2], "Adam's moments");
  }
  summary("Adam, dense and by rows");
}

} // namespace

int main() {
  known_answers();
  check_dropout();
  check_rows();
  check_adam();
  printf("%d checks, %d failed\n", passes + failures, failures);
  return failures != 0;
}

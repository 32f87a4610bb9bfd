// The gates of one LSTM step, one thread a unit of a sequence: the equations of pointwise.rs.
// Rows are sequences; a row holds its numbers gate by gate, `hidden` units each.

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// As on the CPU: magnitudes that would only ever make denormals become 0. NaN stays NaN.
__device__ __forceinline__ float flush(float x) { return fabsf(x) < 1e-30f ? 0.0f : x; }

extern "C" __global__ void lstm_gates_forward(unsigned count, unsigned hidden, const float *gates,
                                              const float *c_previous, float *result) {
  unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  size_t row = at / hidden, u = at % hidden;
  const float *gate = gates + 4 * row * hidden + u;
  float i = sigmoid(gate[0]);
  float f = sigmoid(gate[hidden]);
  float g = tanhf(gate[2 * hidden]);
  float o = sigmoid(gate[3 * hidden]);
  float c = flush(f * c_previous[at] + i * g);
  float *after = result + 6 * row * hidden + u;
  after[0] = i;
  after[hidden] = f;
  after[2 * hidden] = g;
  after[3 * hidden] = o;
  after[4 * hidden] = c;
  after[5 * hidden] = flush(o * tanhf(c));
}

extern "C" __global__ void lstm_gates_backward(unsigned count, unsigned hidden,
                                               const float *activations, const float *c_previous,
                                               const float *states, float *result) {
  unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  size_t row = at / hidden, u = at % hidden;
  const float *after = activations + 6 * row * hidden + u;
  float i = after[0], f = after[hidden], g = after[2 * hidden], o = after[3 * hidden];
  float tanh_c = tanhf(after[4 * hidden]);
  const float *state = states + 2 * row * hidden + u;
  float dh = state[0];
  float dc = state[hidden] + dh * o * (1.0f - tanh_c * tanh_c);
  float *before = result + 5 * row * hidden + u;
  before[0] = flush(dc * g * i * (1.0f - i));
  before[hidden] = flush(dc * c_previous[at] * f * (1.0f - f));
  before[2 * hidden] = flush(dc * i * (1.0f - g * g));
  before[3 * hidden] = flush(dh * tanh_c * o * (1.0f - o));
  before[4 * hidden] = flush(dc * f);
}

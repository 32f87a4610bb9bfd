// What the kernels ask of the machine, one small function each, so that the same kernels also run on a CPU
// (tests/gpu/emulate, which brings its own set of these functions).
#pragma once

#ifdef TAPER_EMULATE
#include "cuda_on_cpu.h"
#else

#include <cstdint>

// Threads of a block of the persistent kernels.
constexpr int THREADS = 256;

__device__ __forceinline__ unsigned thread() { return threadIdx.x; }
__device__ __forceinline__ unsigned block() { return blockIdx.x; }
__device__ __forceinline__ unsigned block_threads() { return blockDim.x; }
__device__ __forceinline__ void sync_block() { __syncthreads(); }

__device__ __forceinline__ char *shared_memory() {
  extern __shared__ __align__(16) char shared[];
  return shared;
}

__device__ __forceinline__ float shuffle_xor(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

// bfloat16 as its bits.
typedef unsigned short bf16;

__device__ __forceinline__ bf16 to_bf16(float value) {
  bf16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

// d[16, 8] += a[16, 16] b[16, 8] by the warp's tensor core: bf16 operands, f32 sums (PTX m16n8k16).
__device__ __forceinline__ void multiply_add(float (&d)[4], uint4 a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

// Copies one float from global to shared memory without waiting; a thread waits for its own copies only.
__device__ __forceinline__ void copy_async(float *shared, const float *global) {
  uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(global) : "memory");
}
// Ends a group of copies.
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `LATER` of this thread's groups are under way.
template <int LATER> __device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LATER) : "memory");
}

// The cluster's barrier in two halves: what a thread stored before it arrives, also into other blocks'
// shared memory, is seen by every thread of the cluster after it has waited.
__device__ __forceinline__ void cluster_arrive() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}
__device__ __forceinline__ void cluster_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#endif
}

// Stores into the shared memory of block `rank` of the cluster, at the place `local` has in this block's.
__device__ __forceinline__ uint32_t remote_address(const void *local, unsigned rank) {
  uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(local)), to = 0;
#if __CUDA_ARCH__ >= 900
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(to) : "r"(from), "r"(rank));
#endif
  return to;
}
__device__ __forceinline__ void store_remote(float *local, unsigned rank, float value) {
#if __CUDA_ARCH__ >= 900
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(remote_address(local, rank)), "f"(value) : "memory");
#endif
}
__device__ __forceinline__ void store_remote(bf16 *local, unsigned rank, bf16 value) {
#if __CUDA_ARCH__ >= 900
  asm volatile("st.shared::cluster.u16 [%0], %1;" ::"r"(remote_address(local, rank)), "h"(value) : "memory");
#endif
}

// A barrier of blocks through global memory, in two halves, each run by one thread of a block.
__device__ __forceinline__ void counter_arrive(unsigned *counter) {
  __threadfence();
  atomicAdd(counter, 1u);
}
__device__ __forceinline__ void counter_wait(unsigned *counter, unsigned target) {
  unsigned seen;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(counter) : "memory");
  } while (seen < target);
  __threadfence();
}

// A load past the first-level cache, which other blocks' stores do not reach.
template <class T> __device__ __forceinline__ T load_fresh(const T *global) { return __ldcg(global); }

#endif

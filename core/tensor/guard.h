// Guarded: the one place where libtorch's exceptions become absl::Status.
//
// Everything above core/tensor calls libtorch inside Guarded, at the edge of each public function.
#pragma once

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "core/base/status.h"

namespace modelpatch::tensor {

// The error of an exception in flight: out of memory is RESOURCE_EXHAUSTED (OUT_OF_MEMORY), anything else INTERNAL
// (TORCH_ERROR), with the first line of libtorch's message. Call it inside a catch block.
absl::Status StatusOfCurrentException();

// Runs `function` (returning void, absl::Status, T or absl::StatusOr<T>) and turns what it throws into an error.
template <typename Function>
auto Guarded(Function&& function) {
  using Result = std::invoke_result_t<Function>;
  if constexpr (std::is_void_v<Result>) {
    try {
      std::forward<Function>(function)();
      return absl::OkStatus();
    } catch (...) {
      return StatusOfCurrentException();
    }
  } else if constexpr (std::is_constructible_v<Result, absl::Status>) {
    try {
      return Result(std::forward<Function>(function)());
    } catch (...) {
      return Result(StatusOfCurrentException());
    }
  } else {
    try {
      return absl::StatusOr<Result>(std::forward<Function>(function)());
    } catch (...) {
      return absl::StatusOr<Result>(StatusOfCurrentException());
    }
  }
}

}  // namespace modelpatch::tensor

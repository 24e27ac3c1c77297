#include "core/tensor/guard.h"

#include <new>

namespace modelpatch::tensor {
namespace {

// Libtorch's messages carry a C++ stack trace after the first line or two.
std::string WithoutTrace(std::string message) {
  const size_t trace = message.find("\nException raised from");
  if (trace != std::string::npos) message.resize(trace);
  return message;
}

bool IsOutOfMemory(const std::string& message) {
  return message.find("out of memory") != std::string::npos ||
         message.find("can't allocate memory") != std::string::npos;
}

}  // namespace

absl::Status StatusOfCurrentException() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", "out of memory; use a smaller batch, or free some memory");
  } catch (const std::exception& error) {
    const std::string message = WithoutTrace(error.what());
    if (IsOutOfMemory(message)) {
      return base::ResourceExhausted("OUT_OF_MEMORY", message + "; use a smaller batch, or free some memory");
    }
    return base::Internal("TORCH_ERROR", message);
  } catch (...) {
    return base::Internal("TORCH_ERROR", "an exception of unknown type");
  }
}

}  // namespace modelpatch::tensor

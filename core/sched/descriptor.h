// A file descriptor that is closed at the end of its scope.
#pragma once

#include <unistd.h>

namespace modelpatch::sched {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  // Negative if opening it failed.
  int get() const { return value_; }

 private:
  const int value_;
};

}  // namespace modelpatch::sched

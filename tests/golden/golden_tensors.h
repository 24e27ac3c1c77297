// Reads golden safetensors files, and compares tensors with an absolute tolerance.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "core/tensor/safetensors_file.h"

namespace modelpatch::testing {

class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& path) : file_(tensor::SafetensorsFile::Open(path)) {
    EXPECT_TRUE(file_.ok()) << file_.status().ToString();
  }

  const tensor::SafetensorsHeader& header() const { return file_->header(); }

  // The tensor `name`; an empty tensor and a failed test if there is none.
  at::Tensor Get(const std::string& name) const {
    const tensor::TensorInfo* info = file_->header().Find(name);
    if (info == nullptr) {
      ADD_FAILURE() << "no tensor '" << name << "'";
      return at::empty({0});
    }
    return file_->View(*info);
  }

 private:
  absl::StatusOr<tensor::SafetensorsFile> file_;
};

inline void ExpectClose(const at::Tensor& actual, const at::Tensor& expected, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(actual.sizes().vec(), expected.sizes().vec()) << what;
  const double difference = (actual.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
  EXPECT_LE(difference, tolerance) << what;
}

}  // namespace modelpatch::testing

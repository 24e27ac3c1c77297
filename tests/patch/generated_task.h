// A small task of a generator, for tests of evaluation.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/data/task.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::testing {

// `validation` examples of the validation split, 20 and 30 of the others.
inline data::Task GeneratedTask(const std::string& generator, int64_t validation) {
  data::TaskSource source;
  source.format = "generator";
  source.generator = generator;
  source.generated_train = 20;
  source.generated_validation = validation;
  source.generated_test = 30;
  auto task = data::OpenTask(generator, source, data::DecodeLimits{});
  EXPECT_OK(task);
  return *task;
}

}  // namespace modelpatch::testing

// GoogleTest matchers for absl::Status and absl::StatusOr.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/base/status.h"

namespace modelpatch::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << "which is " << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// An error of this code whose reason is `reason`.
MATCHER_P2(FailsWith, code, reason, "fails with " + absl::StatusCodeToString(code) + " " + std::string(reason)) {
  *result_listener << "which is " << StatusOf(arg).ToString() << ", reason '" << base::ReasonOf(StatusOf(arg)) << "'";
  return StatusOf(arg).code() == code && base::ReasonOf(StatusOf(arg)) == reason;
}

}  // namespace modelpatch::testing

#define MP_TEST_ASSIGN_INNER(variable, target, expression)    \
  auto variable = (expression);                               \
  ASSERT_TRUE(variable.ok()) << variable.status().ToString(); \
  target = *std::move(variable)
// Assigns the value of a StatusOr, or fails the test.
#define ASSERT_OK_AND_ASSIGN(target, expression) MP_TEST_ASSIGN_INNER(MP_CONCAT(mp_test_, __LINE__), target, expression)
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::modelpatch::testing::IsOk())
#define ASSERT_OK(expression) ASSERT_THAT(expression, ::modelpatch::testing::IsOk())

// Means of accuracies over the tasks of each role. Pure functions.
#pragma once

#include <optional>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client::report {

struct RoleMeans {
  // Fractions; absent where there is no task of the role.
  std::optional<double> patching;
  std::optional<double> supported;
  // Combined accuracy: ½ (patching + supported), or the one that there is; 0 without any task.
  double combined = 0;
};

RoleMeans MeansOf(const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>& accuracies);

}  // namespace modelpatch::client::report

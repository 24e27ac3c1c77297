#include "client/report/role_means.h"

namespace modelpatch::client::report {

RoleMeans MeansOf(const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>& accuracies) {
  double sum[2] = {0, 0};
  int count[2] = {0, 0};
  for (const v1::TaskAccuracy& accuracy : accuracies) {
    const int kind = accuracy.role() == v1::TASK_ROLE_PATCHING ? 0 : 1;
    sum[kind] += accuracy.accuracy();
    ++count[kind];
  }
  RoleMeans means;
  if (count[0] > 0) means.patching = sum[0] / count[0];
  if (count[1] > 0) means.supported = sum[1] / count[1];
  if (means.patching && means.supported) {
    means.combined = (*means.patching + *means.supported) / 2;
  } else {
    means.combined = means.patching.value_or(means.supported.value_or(0));
  }
  return means;
}

}  // namespace modelpatch::client::report

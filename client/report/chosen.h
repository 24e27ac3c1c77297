// What a job chose, and how to say it. Pure functions.
#pragma once

#include <string>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client::report {

// Whether the chosen mixture is a point of the job's curve. It is not where coefficients were searched one by one: the
// curve is then that of the average.
bool IsOnCurve(const v1::PatchJob& job);

// Whether the chosen mixture is the point at `alpha` of the curve.
bool IsChosenAlpha(const v1::PatchJob& job, double alpha);

// The accuracies of the chosen mixture on validation data, or null where the job does not tell.
const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>* ChosenOnValidation(const v1::PatchJob& job);

// "α = 0.6", or the coefficients of all checkpoints where there are several: "α = (0.3, 0, 0.5)"; of a sequence the α
// of its tasks.
std::string ChosenText(const v1::PatchJob& job);

}  // namespace modelpatch::client::report

// What a patch job measured at a mixture. Pure functions.
#pragma once

#include <vector>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// Whether two mixtures of one model are the same weights: equal coefficients of each checkpoint, zero ones left out.
bool IsSameMixture(const v1::Mixture& first, const v1::Mixture& second);

// The accuracies that the job measured at this very mixture: those of its curve, then those on test data. Empty if it
// measured none.
std::vector<v1::TaskAccuracy> MeasuredAt(const v1::PatchJobResult& result, const v1::Mixture& mixture);

}  // namespace modelpatch::server

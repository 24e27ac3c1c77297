// What people type, as values: lists of α, terms of mixtures, budgets, resource names. Pure functions but for ReadFile.
//
// Errors are INVALID_ARGUMENT with a message for the one who typed it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "modelpatch/v1/patch_service.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

// `0:1:0.05` (from, to, step; both ends included where the step meets them) or `0,0.25,1`. Values are rounded to 12
// decimals, so that 0:1:0.05 holds 0.15 and not 0.15000000000000002. At most 1,000 values; whether they make sense is
// for the server to say.
absl::StatusOr<std::vector<double>> ParseAlphas(const std::string& text);

// `CHECKPOINT=α`, such as `my-digits=0.5`.
absl::StatusOr<v1::MixtureTerm> ParseTerm(const std::string& text);

// `TASK=POINTS`, such as `imagenet=0.5`.
absl::StatusOr<v1::TaskBudget> ParseBudget(const std::string& text);

// `PART/PARTS`, such as `0/2`; whether there is such a part is for the server to say.
absl::StatusOr<v1::ClassPartition> ParseClassPart(const std::string& text);

// `collection/id` for an id; a text that holds a '/' is taken as a whole name.
std::string ResourceName(const std::string& collection, const std::string& id);

// The last part of a resource name.
std::string ShortName(const std::string& name);

// The content of a file of at most 64 MiB.
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace modelpatch::client

// The JSON form of a step's options, for step_spec.cc. Torch-free; pure functions.
//
// The readers throw nlohmann::json's exceptions for a missing member or a wrong type, and for a name that stands for
// nothing.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/train/step_spec.h"

namespace modelpatch::train {

nlohmann::json OptionsToJson(const FineTuneOptions& options);
FineTuneOptions FineTuneOptionsFromJson(const nlohmann::json& object);

nlohmann::json OptionsToJson(const patch::CoefficientSearchOptions& options);
patch::CoefficientSearchOptions CoefficientSearchFromJson(const nlohmann::json& object);

nlohmann::json OptionsToJson(const patch::MergeOptions& options);
patch::MergeOptions MergeFromJson(const nlohmann::json& object);

nlohmann::json NameInJson(TaskBalance balance);
TaskBalance TaskBalanceFromJson(const nlohmann::json& name);

}  // namespace modelpatch::train

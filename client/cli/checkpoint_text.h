// Checkpoints as text. Pure functions.
#pragma once

#include <string>

#include "modelpatch/v1/checkpoint_service.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

std::string CheckpointText(const v1::Checkpoint& checkpoint);
std::string CheckpointsText(const v1::ListCheckpointsResponse& response);
std::string ComparisonText(const v1::CompareCheckpointsResponse& response);

}  // namespace modelpatch::client

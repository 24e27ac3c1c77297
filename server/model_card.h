// The README.md of an exported model: what was mixed, out of what, and what was measured. Thread safety: pure.
#pragma once

#include <span>
#include <string>

#include "modelpatch/v1/model_service.pb.h"

namespace modelpatch::server {

// `checkpoints` are those of the mixture's terms, in their order. The head is what model hubs read.
std::string ModelCard(const v1::Model& model, const v1::Mixture& mixture, std::span<const v1::Checkpoint> checkpoints,
                      v1::ExportLayout layout, const std::string& version);

}  // namespace modelpatch::server

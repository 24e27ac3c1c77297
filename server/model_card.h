// The README.md of an exported model: what was mixed, out of what, and what was measured. Thread safety: pure.
#pragma once

#include <string>
#include <vector>

#include "modelpatch/v1/model_service.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// What a card tells of a mixture.
struct CardContent {
  v1::Model model;
  v1::Mixture mixture;
  // `patches/{patch}@{version}` that the mixture is, or empty.
  std::string patch;
  // Those of the mixture's terms, in their order.
  std::vector<v1::Checkpoint> checkpoints;
  // Measured at this very mixture: see MeasuredAt. May be empty.
  std::vector<v1::TaskAccuracy> accuracies;
};

// The head is what model hubs read.
std::string ModelCard(const CardContent& content, v1::ExportLayout layout, const std::string& version);

}  // namespace modelpatch::server

#include "server/job_leases.h"

#include <algorithm>

namespace modelpatch::server {

int64_t LargestDevice(const std::vector<sched::Device>& devices) {
  int64_t largest = 0;
  for (const sched::Device& device : devices) largest = std::max(largest, device.total_bytes);
  return largest;
}

void SetLeases(const v1::Model& model, int64_t largest_device_bytes, JobGraphInput& graph) {
  const double theta = 4.0 * static_cast<double>(model.image_encoder_parameters());
  const double text = 8.0 * static_cast<double>(model.text_encoder_parameters());
  // The activations of a step: about twenty fp32 values for each token, layer and channel, layers times channels being
  // parameters / (12 · channels) in a ViT.
  const double patch = model.patch_size_pixels();
  const double width = model.image_width_pixels() > 0 ? model.image_width_pixels() : model.image_size_pixels();
  const double patches = patch > 0 ? model.image_size_pixels() / patch * (width / patch) : 1;
  const double layer_channels =
      static_cast<double>(model.image_encoder_parameters()) / (12.0 * std::max(1, model.embedding_dimension()));
  const auto activations = [&](int64_t batch) {
    return static_cast<double>(batch) * (patches + 1) * layer_channels * 80.0;
  };
  const auto lease = [&](double bytes) {
    // An estimate must not make a job impossible that may well fit.
    return static_cast<int64_t>(std::min(bytes, 0.8 * static_cast<double>(largest_device_bytes)));
  };
  const train::FineTuneOptions& options = graph.fine_tune.options;
  // θ, θ_zs, the gradient and AdamW's two moments, with room for a copy; the start and the Fisher matrix; the average.
  const double copies = 6.0 + (options.l2_penalty > 0 ? 1 : 0) + (options.elastic_weight > 0 ? 2 : 0) +
                        (options.ema_decay > 0 ? 1 : 0) + (graph.fine_tune.fisher_examples > 0 ? 1 : 0);
  graph.fine_tune_lease_bytes = lease(copies * theta + text + activations(options.batch_size));
  // θ_zs, what is mixed (and its Fisher information), the mixture and a gradient.
  const bool parallel = graph.strategy == v1::STRATEGY_PARALLEL;
  const auto mixed =
      static_cast<double>(parallel ? std::max(graph.patching_tasks.size(), graph.search.blobs.size()) : 2);
  const double weights = 4.0 + mixed * (graph.fine_tune.fisher_examples > 0 ? 2 : 1);
  graph.search_lease_bytes = lease(weights * theta + text + activations(graph.search.coefficient_search.batch_size));
}

}  // namespace modelpatch::server

// Weights for the references in Python: see load() in forward_networks.py.
#pragma once

#include <torch/torch.h>

#include <fstream>
#include <string>

#include "core/tensor/weight_set.h"

namespace modelpatch::benchmarks {

// Every value of every weight, in the order of the layout, as raw floats beside a list of names and shapes.
inline void WriteWeights(const tensor::WeightSet& weights, const std::string& path) {
  std::ofstream values(path, std::ios::binary);
  std::ofstream names(path + ".txt");
  for (size_t i = 0; i < weights.views().size(); ++i) {
    const at::Tensor& view = weights.views()[i];
    values.write(static_cast<const char*>(view.data_ptr()), static_cast<std::streamsize>(view.nbytes()));
    names << weights.layout().weights()[i].spec.name;
    for (const int64_t size : view.sizes()) names << ' ' << size;
    names << '\n';
  }
}

}  // namespace modelpatch::benchmarks

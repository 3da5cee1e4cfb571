"""Networks: data sets, training, prediction and scores. The only importer of nnU-Net."""

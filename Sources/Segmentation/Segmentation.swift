// Segmentation: see the architecture picture in README.md.

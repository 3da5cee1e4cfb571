"""What methods texts cite, by the keys that they cite it with."""

from __future__ import annotations

REFERENCES = {
    "synthtumour": "Zhang X, et al. Unsupervised brain MRI tumour segmentation via two-stage "
    "image synthesis. Medical Image Analysis 102:103568, 2025.",
    "fabrication": "Dong N, et al. From healthy scans to annotated tumors: a tumor fabrication "
    "framework for 3D brain MRI synthesis. arXiv:2511.18654, 2025.",
    "bids": "Gorgolewski KJ, et al. The brain imaging data structure, a format for organizing and "
    "describing outputs of neuroimaging experiments. Scientific Data 3:160044, 2016. "
    "doi:10.1038/sdata.2016.44",
    "bidsapps": "Gorgolewski KJ, et al. BIDS apps: improving ease of use, accessibility, and "
    "reproducibility of neuroimaging data analysis methods. PLOS Computational Biology "
    "13(3):e1005209, 2017. doi:10.1371/journal.pcbi.1005209",
    "n4": "Tustison NJ, et al. N4ITK: improved N3 bias correction. IEEE Transactions on Medical "
    "Imaging 29(6):1310-1320, 2010. doi:10.1109/TMI.2010.2046908",
    "ants": "Avants BB, et al. A reproducible evaluation of ANTs similarity metric performance in "
    "brain image registration. NeuroImage 54(3):2033-2044, 2011. "
    "doi:10.1016/j.neuroimage.2010.09.025",
    "icbm": "Fonov V, et al. Unbiased average age-appropriate atlases for pediatric studies. "
    "NeuroImage 54(1):313-327, 2011. doi:10.1016/j.neuroimage.2010.07.033",
    "masking": "Brett M, et al. Spatial normalization of brain images with focal lesions using "
    "cost function masking. NeuroImage 14(2):486-500, 2001. doi:10.1006/nimg.2001.0845",
    "halfway": "Reuter M, et al. Within-subject template estimation for unbiased longitudinal "
    "image analysis. NeuroImage 61(4):1402-1418, 2012. doi:10.1016/j.neuroimage.2012.02.084",
    "poisson": "Perez P, Gangnet M, Blake A. Poisson image editing. ACM Transactions on Graphics "
    "22(3):313-318, 2003. doi:10.1145/882262.882269",
    "nilearn": "Abraham A, et al. Machine learning for neuroimaging with scikit-learn. Frontiers "
    "in Neuroinformatics 8:14, 2014. doi:10.3389/fninf.2014.00014",
    "nnunet": "Isensee F, et al. nnU-Net: a self-configuring method for deep learning-based "
    "biomedical image segmentation. Nature Methods 18:203-211, 2021. "
    "doi:10.1038/s41592-020-01008-z",
    "temperature": "Guo C, et al. On calibration of modern neural networks. Proceedings of the "
    "34th International Conference on Machine Learning, PMLR 70:1321-1330, 2017.",
}

"""``synthtumour-dicomseg``: a tumour mask as a DICOM segmentation of the series it was drawn on."""

// SmallProduct
